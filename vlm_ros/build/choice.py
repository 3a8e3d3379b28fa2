"""Which precision each part runs in on this device: the fastest of those that answer well enough.

A choice is kept in the engine store under a key of its own, so that another device, runtime or model
needs another choice, and every later start asks for ``auto`` alone.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vlm_ros.build.builder import EngineBuilder
from vlm_ros.build.key import key_from_onnx
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import AUTO, PRECISIONS, Bundle
from vlm_ros.core.errors import BuildFailed
from vlm_ros.core.json_file import replace_json

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A precision of a part: the time of one pass over the samples (infinite where nobody measured it), and why it
    may not be used (empty: it may)."""

    precision: str
    pass_s: float
    faults: Sequence[str]


@dataclass(frozen=True)
class Choice:
    """The precision of one part, and why that one."""

    precision: str
    reason: str


def choose(candidates: Sequence[Candidate]) -> Choice:
    """The fastest that has no faults; the first where none is without, since that is the reference itself."""
    usable = [candidate for candidate in candidates if not candidate.faults] or candidates[:1]
    best = min(usable, key=lambda candidate: candidate.pass_s)
    others = [
        f"{other.precision} {_ms(other)}" + (f", refused: {'; '.join(other.faults)}" if other.faults else "")
        for other in candidates
        if other is not best
    ]
    return Choice(best.precision, f"fastest of those that passed, {_ms(best)} (" + "; ".join(others) + ")")


def keep_choice(bundle: Bundle, part: str, choice: Choice, store: EngineStore, builder: EngineBuilder) -> None:
    """Let ``kept_precision`` give ``choice`` from now on; ``BuildFailed`` where the store cannot be written."""
    path = _path(bundle, part, store, builder)
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
        replace_json(path, dataclasses.asdict(choice))
    except OSError as error:
        raise BuildFailed(f"cannot write the choice of a precision to '{path}' ({error}): make room there") from error


def kept_precision(bundle: Bundle, part: str, store: EngineStore, builder: EngineBuilder) -> str | None:
    """The precision that was chosen for ``part`` on this device; ``None`` where none was, or none that is known."""
    path = _path(bundle, part, store, builder)
    if not path.is_file():
        return None
    try:
        precision = Choice(**json.loads(path.read_text(encoding="utf-8"))).precision
    except (OSError, ValueError, TypeError) as error:
        _log.warning("the choice '%s' cannot be read (%s)", path, error)
        return None
    if precision not in PRECISIONS:
        _log.warning("the choice '%s' is of the precision '%s', which nobody knows", path, precision)
        return None
    return precision


def _path(bundle: Bundle, part: str, store: EngineStore, builder: EngineBuilder) -> Path:
    return store.folder / f"{key_from_onnx(part, bundle.onnx(part), AUTO, builder).name}.choice.json"


def _ms(candidate: Candidate) -> str:
    return f"{candidate.pass_s * 1e3:.2f} ms" if math.isfinite(candidate.pass_s) else "not timed"
