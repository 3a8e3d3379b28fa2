"""A CLIP that was exported as one graph, which takes pictures and texts together: its two sides, each by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import overload

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.families import JOINT
from vlm_ros.runtime.runner import Array, Runner, Tensors, TensorSpec
from vlm_ros.vision.preprocessing import Preprocessor

_SIDES = {"vision_model": ("pixel_values", "image_embeds"), "text_model": ("input_ids", "text_embeds")}
"""By part: the input that tells its side of the graph, and the output that it is run for."""

_LENGTH = 2
"""Tokens of a text that nobody asked about."""


def sides_of(bundle: Bundle, runners: Mapping[str, Runner]) -> Mapping[str, Runner]:
    """``runners``, or the two sides of the one graph among them; ``BadBundle`` where it does not have both."""
    if JOINT not in runners:
        return runners
    joint = runners[JOINT]
    missing = [name for names in _SIDES.values() for name in names if name not in {**joint.inputs, **joint.outputs}]
    if missing:
        raise BadBundle(
            f"the graph '{JOINT}' of '{bundle.folder}' takes {list(joint.inputs)} and gives {list(joint.outputs)}, "
            f"without {missing}: export it with these, or as vision_model and text_model"
        )
    return {part: _Side(joint, output, _other_side(joint, part, bundle)) for part, (_, output) in _SIDES.items()}


class _Side:
    """The graph ``joint`` for one ``output``: ``idle`` inputs, which it does not hang on, are fed with anything."""

    def __init__(self, joint: Runner, output: str, idle: Mapping[str, Array]) -> None:
        self._joint = joint
        self._output = output
        self._idle = idle

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """What this side takes."""
        return {name: spec for name, spec in self._joint.inputs.items() if name not in self._idle}

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """The vectors."""
        return {self._output: self._joint.outputs[self._output]}

    def activate(self) -> None:
        """Load the graph."""
        self._joint.activate()

    @overload
    def run(self, feeds: Tensors) -> Mapping[str, Array]: ...

    @overload
    def run(self, feeds: Tensors, keep: Collection[str]) -> Tensors: ...

    def run(self, feeds: Tensors, keep: Collection[str] = ()) -> Tensors:
        """The vectors for ``feeds``."""
        idle = {name: self._as_many_rows(name, feeds) for name in self._idle}
        return {self._output: self._joint.run({**idle, **feeds}, keep)[self._output]}

    def deactivate(self) -> None:
        """Free the graph."""
        self._joint.deactivate()

    def _as_many_rows(self, name: str, feeds: Tensors) -> Array:
        """What ``name`` is fed: one row, or as many as ``feeds`` where the graph calls their number the same."""
        specs, idle = self._joint.inputs, self._idle[name]
        same = [tensor.shape[0] for other, tensor in feeds.items() if specs[other].shape[0] == specs[name].shape[0]]
        return np.repeat(idle, same[0], axis=0) if same and isinstance(specs[name].shape[0], str) else idle


def _other_side(joint: Runner, part: str, bundle: Bundle) -> dict[str, Array]:
    """What feeds the inputs that are not of the side of ``part``: a black picture, or a text of the first token."""
    picture = part == "vision_model"
    specs = [spec for spec in joint.inputs.values() if (spec.name == "pixel_values") != picture]
    return {spec.name: _anything(spec, (1, _LENGTH) if picture else _picture_shape(bundle)) for spec in specs}


def _anything(spec: TensorSpec, shape: tuple[int, ...]) -> Array:
    """Ones where it is a mask, else zeros; of ``shape`` where the graph fixes no size."""
    sizes = [size if isinstance(size, int) else free for size, free in zip(spec.shape, shape, strict=True)]
    return np.full(sizes, "mask" in spec.name, spec.dtype)


def _picture_shape(bundle: Bundle) -> tuple[int, int, int, int]:
    side_px = int((bundle.config.get("vision_config") or {}).get("image_size", 224))
    height_px, width_px = Preprocessor.from_json(bundle.image_processor).size_px or (side_px, side_px)
    return 1, 3, height_px, width_px
