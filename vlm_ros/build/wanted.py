"""The engines that a model needs on this device: which of them are there, and what runs meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlm_ros.build.builder import EngineBuilder
from vlm_ros.build.choice import kept_precision
from vlm_ros.build.key import EngineKey, key_from_onnx, source_of
from vlm_ros.build.store import EngineStore
from vlm_ros.build.vendors import ONNXRUNTIME, RUNTIMES
from vlm_ros.core.bundle import AUTO, Bundle
from vlm_ros.core.errors import BadBundle, BuildFailed, MissingEngine


@dataclass(frozen=True)
class WantedEngine:
    """One part: its key, and the ONNX file that the engine is made of."""

    key: EngineKey
    onnx: Path

    def refuse_change(self) -> None:
        """``BuildFailed`` where the ONNX file or its external data is not what the key says; reads them whole."""
        try:
            same = source_of(self.onnx) == self.key.source
        except (BadBundle, OSError):
            same = False  # only half of it is written
        if not same:
            raise BuildFailed(f"'{self.onnx}' changed after its build began: build again once it is written")


@dataclass(frozen=True)
class WantedEngines:
    """All parts of a model, by name. The ONNX files were read once, so that asking for ``missing`` costs nothing."""

    bundle: Bundle
    store: EngineStore
    builder: EngineBuilder
    precision: str
    parts: Mapping[str, WantedEngine]

    @property
    def missing(self) -> tuple[str, ...]:
        """The parts of which the store has nothing; what it has is not checked."""
        return tuple(part for part, version in zip(self.parts, self.versions, strict=True) if version is None)

    @property
    def versions(self) -> tuple[int | None, ...]:
        """Which engines the store has; another value where one was built anew."""
        return tuple(self.store.version_of(wanted.key) for wanted in self.parts.values())

    @property
    def written(self) -> tuple[int, ...]:
        """When the ONNX files were written, in nanoseconds since 1970, 0 for one that is gone; quick. Another value
        after a new export."""
        return tuple(_written_ns(wanted.onnx) for wanted in self.parts.values())

    @property
    def onnx(self) -> dict[str, Path]:
        """The ONNX file of every part, which ONNX Runtime runs as it is."""
        return {part: wanted.onnx for part, wanted in self.parts.items()}

    @property
    def command(self) -> str:
        """What a user types to build them."""
        return command_that_builds(self.bundle, self.precision, self.builder)

    def find(self) -> dict[str, Path]:
        """The engine of every part, checked and ready to load; ``MissingEngine`` names the first that there is not."""
        return {part: self._found(part, wanted) for part, wanted in self.parts.items()}

    def _found(self, part: str, wanted: WantedEngine) -> Path:
        engine = self.store.find(wanted.key)
        if engine is None:
            raise MissingEngine(
                f"'{part}' of '{self.bundle.name}' is not built for this device "
                f"({self.builder.runtime} on {self.builder.device}): run  {self.command}"
            )
        return engine


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def wanted_engines(
    bundle: Bundle, store: EngineStore, precision: str, builder: EngineBuilder, parts: Sequence[str] = ()
) -> WantedEngines:
    """What ``parts`` (empty: all of the bundle) need at ``precision``.

    ``auto`` is for each part the precision that was chosen for this device, fp32 where none was.
    ``BadBundle`` where an ONNX file or its external data is missing.
    """
    wanted = {part: wanted_engine(part, bundle, store, precision, builder) for part in chosen_parts(bundle, parts)}
    return WantedEngines(bundle, store, builder, precision, wanted)


def wanted_engine(
    part: str, bundle: Bundle, store: EngineStore, precision: str, builder: EngineBuilder
) -> WantedEngine:
    """As ``wanted_engines``, of one part."""
    if precision == AUTO:
        precision = kept_precision(bundle, part, store, builder) or ""
    precision = bundle.best_precision(part, precision)
    onnx = bundle.onnx(part, precision)
    return WantedEngine(key_from_onnx(part, onnx, precision, builder), onnx)


def chosen_parts(bundle: Bundle, parts: Sequence[str]) -> Sequence[str]:
    """``parts``, or all of ``bundle`` where none are named; ``BadBundle`` where it has none."""
    if not (parts or bundle.parts):
        bundle.refuse_checkpoint()
        raise BadBundle(f"'{bundle.folder}' has no onnx/*.onnx: export the model into it, or copy it again")
    return parts or bundle.parts


def command_that_builds(bundle: Bundle, precision: str, builder: EngineBuilder) -> str:
    """What a user types to build the engines of ``bundle`` with ``builder``."""
    runtime = builder.runtime.split()[0]
    options = [f" --precision {precision}"] if precision != "fp32" else []
    options += [f" --runtime {runtime}"] if runtime in RUNTIMES and runtime != ONNXRUNTIME else []
    options += [f" --batch {builder.batch}"] if builder.batch > 1 else []
    options += [f" --portable {builder.portable}"] if builder.portable != "no" else []
    return f"vlm_ros build {bundle.folder}{''.join(options)}"
