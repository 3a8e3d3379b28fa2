"""All engines of a bundle: found, or built one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlm_ros.build.builder import Check, EngineBuilder, Watch, unchecked
from vlm_ros.build.external_data import total_bytes
from vlm_ros.build.fitting import fitting_builder
from vlm_ros.build.lock import never
from vlm_ros.build.origin import check_origin
from vlm_ros.build.progress import Meter, OnProgress, Progress, Stage, silent
from vlm_ros.build.store import EngineStore
from vlm_ros.build.vendors import ONNXRUNTIME, builder_for
from vlm_ros.build.verdicts import check_verdicts, warn_of_unvalidated
from vlm_ros.build.wanted import WantedEngine, chosen_parts, wanted_engine, wanted_engines
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.errors import Cancelled


def find_engines(
    bundle: Bundle,
    store: EngineStore,
    precision: str = "fp32",
    *,
    builder: EngineBuilder | None = None,
    parts: Sequence[str] = (),
) -> dict[str, Path]:
    """The engine of every part (``parts`` empty: all of the bundle), checked and ready to load.

    ``precision`` may be ``auto``: then each part has the one that was chosen for this device, fp32 where none was.
    Raises ``MissingEngine`` naming the first part that has none and the command that builds it.
    """
    builder = builder or builder_for(ONNXRUNTIME, bundle)
    return {
        part: engine
        for name in chosen_parts(bundle, parts)
        for part, engine in wanted_engines(bundle, store, precision, builder, [name]).find().items()
    }


def build_bundle(
    bundle: Bundle,
    store: EngineStore,
    *,
    precision: str = "fp32",
    builder: EngineBuilder | None = None,
    parts: Sequence[str] = (),
    check: Check = unchecked,
    blocks: int = 0,
    ignore_gate: bool = False,
    on_progress: OnProgress = silent,
    cancelled: Callable[[], bool] = never,
    clock: Clock = monotonic_s,
) -> dict[str, Path]:
    """The engine of every part (``parts`` empty: all of the bundle); builds those that the store lacks.

    ``precision`` may be ``auto``: then each part has the one that was chosen for this device, fp32 where none was.
    ``check`` sees every new engine before the store takes it in, and may refuse it with ``BuildFailed``.
    ``blocks`` is in how many blocks of layers decoders are built, 0: as few as memory allows. A part of which the
    validator found that it fails its gate is refused with ``BuildFailed`` unless ``ignore_gate``.
    ``cancelled`` is asked between parts, within them where the builder can stop, and while another process
    writes the store: then ``Cancelled`` is raised, and what was finished stays. ``BuildFailed`` where a part
    cannot be built or stored.
    """
    work = _Work(
        bundle,
        precision,
        store,
        builder or builder_for(ONNXRUNTIME, bundle),
        check,
        blocks,
        ignore_gate,
        on_progress,
        cancelled,
    )
    jobs = [work.look_up(part) for part in chosen_parts(bundle, parts)]
    missing = [job for job in jobs if job.engine is None]
    meter = Meter(sum(total_bytes(job.wanted.onnx) for job in missing), clock)
    built = {job.wanted.key: work.build(job, meter) for job in missing}
    on_progress(Progress("", Stage.READY, 1.0, 0.0, not missing, f"'{bundle.name}' is ready"))
    return {job.wanted.key.part: job.engine or built[job.wanted.key] for job in jobs}


@dataclass(frozen=True)
class _Job:
    wanted: WantedEngine
    engine: Path | None


@dataclass(frozen=True)
class _Work:
    bundle: Bundle
    precision: str
    store: EngineStore
    builder: EngineBuilder
    check: Check
    blocks: int
    ignore_gate: bool
    on_progress: OnProgress
    cancelled: Callable[[], bool]

    def look_up(self, part: str) -> _Job:
        """What is to be done for ``part``; its engine if there is one already."""
        self._stop_if_cancelled(part)
        self.on_progress(Progress(part, Stage.CHECKING, 0.0, None, False, f"looking for '{part}'"))
        wanted = wanted_engine(part, self.bundle, self.store, self.precision, self.builder)
        check_origin(self.bundle, part, wanted.key.precision)
        if not self.ignore_gate:
            check_verdicts(self.bundle, {part: wanted.key.precision})
            warn_of_unvalidated(self.bundle, part, wanted.key.precision, wanted.key.source)
        engine = self.store.find(wanted.key)
        if engine is not None:
            self.on_progress(Progress(part, Stage.READY, 0.0, None, True, f"'{part}' was built before"))
        return _Job(wanted, engine)

    def build(self, job: _Job, meter: Meter) -> Path:
        """The engine of ``job``, built now."""
        key, onnx = job.wanted.key, job.wanted.onnx
        part, size_bytes = key.part, total_bytes(onnx)
        self._stop_if_cancelled(part)
        builder = fitting_builder(self.builder, onnx, self.blocks)
        message = f"building '{part}' from {size_bytes / 1e6:.1f} MB for {key.runtime}"
        self.on_progress(Progress(part, Stage.BUILDING, meter.fraction, meter.eta_s, False, message))

        def tell(fraction: float) -> None:
            meter.be_within(fraction * size_bytes)
            self.on_progress(Progress(part, Stage.BUILDING, meter.fraction, meter.eta_s, False, message))

        def build(path: Path) -> None:
            job.wanted.refuse_change()  # another process may have been waited for
            builder.build(onnx, path, watch=Watch(tell, self.cancelled))
            job.wanted.refuse_change()
            self.check(key, onnx, path)

        engine = self.store.add(key, build, self.cancelled)
        meter.add(size_bytes)
        self.on_progress(Progress(part, Stage.READY, meter.fraction, meter.eta_s, False, f"'{part}' is built"))
        return engine

    def _stop_if_cancelled(self, part: str) -> None:
        if self.cancelled():
            raise Cancelled(f"building '{self.bundle.name}' stopped before '{part}'; what was finished stays")
