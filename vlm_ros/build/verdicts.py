"""What the validator found, kept in the bundle: a file that failed its gate is not used by whoever comes later.

``validated.json`` has a verdict for each file, good for the bytes that were looked at and the gate that was asked for:
after another export, or with another gate in the model card, it says nothing any more. It is packed with the bundle,
so that a robot knows what was found on the machine that validates.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlm_ros.build.key import source_of
from vlm_ros.build.origin import mark_of
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, BuildFailed
from vlm_ros.core.json_file import replace_json
from vlm_ros.core.seal import note

VERDICTS = "validated.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """On ``part`` at ``precision``; ``faults`` is why it may not be used, empty where it may."""

    part: str
    precision: str
    faults: Sequence[str]


def keep_verdicts(bundle: Bundle, verdicts: Sequence[Verdict]) -> None:
    """Let ``check_verdicts`` know ``verdicts``; a bundle that cannot be written is told of in the log."""
    if not verdicts:
        return
    path = bundle.folder / VERDICTS
    new = {}
    for one in verdicts:
        with contextlib.suppress(BadBundle):  # what is no whole ONNX file is loaded by nobody
            about = _about(bundle, one.part, one.precision)
            new[_name(bundle, one.part, one.precision)] = {**about, "faults": list(one.faults)}
    try:
        replace_json(path, {**_kept(bundle), **new})
    except OSError as error:
        _log.warning("what was found is not kept, since '%s' cannot be written (%s)", path, error)
        return
    note(bundle.folder, [path])


def check_verdicts(bundle: Bundle, precisions: Mapping[str, str]) -> None:
    """``BuildFailed`` where a part failed its gate at its precision in ``precisions``.

    Files are read whole only where a verdict speaks against one of their name.
    """
    kept = _kept(bundle)
    for part, precision in precisions.items():
        verdict = kept.get(_name(bundle, part, precision), {})
        if verdict.get("faults") and _holds(verdict, bundle, part, precision):
            faults = "; ".join(map(str, verdict["faults"]))
            raise BuildFailed(
                f"'{part}' of '{bundle.name}' failed its gate at {precision} and is not used ({faults}): take another "
                "precision (vlm_ros validate tells which pass), or use it all the same with --ignore-gate, in a node "
                "with ignore_gate"
            )


def warn_of_unvalidated(bundle: Bundle, part: str, precision: str, source: str) -> None:
    """Say in the log that nobody has compared a file that was made here with the graph it was made of.

    ``source`` is the checksum of that file, as in an engine's key.
    """
    made_here = precision != "fp32" and mark_of(bundle.onnx(part, precision)) is not None
    if made_here and _kept(bundle).get(_name(bundle, part, precision), {}).get("source") != source:
        _log.warning(
            "'%s' at %s was not validated: see what it costs with  vlm_ros validate %s --precision %s",
            *(part, precision, bundle.folder, precision),
        )


def _kept(bundle: Bundle) -> dict[str, Any]:
    """The verdicts that are such, by file: people edit what they find."""
    kept = bundle.optional_json(VERDICTS).items()
    return {name: one for name, one in kept if isinstance(one, dict) and isinstance(one.get("faults"), list)}


def _name(bundle: Bundle, part: str, precision: str) -> str:
    return bundle.onnx(part, precision).relative_to(bundle.folder).as_posix()


def _about(bundle: Bundle, part: str, precision: str) -> dict[str, Any]:
    """The bytes and the gate that a verdict is about; reads the file whole."""
    return {"source": source_of(bundle.onnx(part, precision)), "gate": str(bundle.card.gate(precision))}


def _holds(verdict: Mapping[str, Any], bundle: Bundle, part: str, precision: str) -> bool:
    """Whether ``verdict`` is about the file and the gate that there are now."""
    return _about(bundle, part, precision).items() <= verdict.items()
