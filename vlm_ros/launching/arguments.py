"""What a launch file can be told, and which parameter of which node hears it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vlm_ros.core.errors import BadConfig

_FLAG = ("", "true", "false")
_AS_SET = "; left empty: as the settings file says"


@dataclass(frozen=True)
class Argument:
    """One launch argument; empty ``choices`` mean any text."""

    help: str
    default: str = ""
    choices: tuple[str, ...] = ()


ARGUMENTS = {
    "model": Argument("model bundle: a name under engines/, or a folder" + _AS_SET),
    "precision": Argument("which of the model's ONNX files: fp32, fp16, int8, q4 and so on" + _AS_SET),
    "gate": Argument("a CLIP that decides when the model is asked: a name under engines/, or a folder" + _AS_SET),
    "runtime": Argument("what runs the model" + _AS_SET, choices=("", "onnxruntime", "tensorrt", "cuda")),
    "wait_for_engines": Argument(
        "whether all wait for the engines, instead of answering on ONNX Runtime while they are built" + _AS_SET,
        choices=_FLAG,
    ),
    "camera": Argument("image topic" + _AS_SET),
    "compressed": Argument("whether the camera sends CompressedImage" + _AS_SET, choices=_FLAG),
    "target": Argument("what to look for at once, for example 'red ball'" + _AS_SET),
    "mode": Argument(
        "what to do at once; left empty: search where there is a target, else as the settings file says",
        choices=("", "idle", "search", "follow", "explore"),
    ),
    "stamped": Argument("whether cmd_vel is TwistStamped instead of Twist" + _AS_SET, choices=_FLAG),
    "sim": Argument("whether to start the simulated room and robot", "false", _FLAG[1:]),
    "seed": Argument("which simulated room" + _AS_SET),
    "params_file": Argument("YAML file of parameters that go before those in config/, with the same keys; empty: none"),
}

PARAMETERS: dict[str, dict[str, tuple[str, type]]] = {
    "build_node": {
        "model": ("model", str),
        "precision": ("precision", str),
        "runtime": ("runtime", str),
        "gate_model": ("gate", str),
    },
    "inference_node": {
        "model": ("model", str),
        "precision": ("precision", str),
        "runtime": ("runtime", str),
        "gate_model": ("gate", str),
        "wait_for_engines": ("wait_for_engines", bool),
        "image_topic": ("camera", str),
        "compressed": ("compressed", bool),
    },
    "navigator_node": {"target": ("target", str), "mode": ("mode", str), "stamped": ("stamped", bool)},
    "sim_node": {"target": ("target", str), "stamped": ("stamped", bool), "seed": ("seed", int)},
}
"""For each executable: its parameter, to the argument that sets it and the parameter's type."""


def given_parameters(executable: str, arguments: Mapping[str, str]) -> dict[str, str | bool | int]:
    """Parameter to value, of those that the user set by an argument. A target alone means to search for it.

    Raises ``BadConfig`` for a text that is no value of the parameter's type.
    """
    told = dict(arguments)
    if told.get("target") and not told.get("mode"):
        told["mode"] = "search"
    return {
        parameter: _value(argument, told[argument], kind)
        for parameter, (argument, kind) in PARAMETERS[executable].items()
        if told.get(argument)
    }


def _value(argument: str, text: str, kind: type) -> str | bool | int:
    if kind is bool:
        return text == "true"
    if kind is str:
        return text
    try:
        return int(text)
    except ValueError as error:
        raise BadConfig(f"the launch argument '{argument}' is '{text}': give a whole number") from error
