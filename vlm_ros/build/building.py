"""All engines of a bundle: found, or built one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vlm_ros.build.builder import EngineBuilder, Watch
from vlm_ros.build.choice import kept_precision
from vlm_ros.build.external_data import total_bytes
from vlm_ros.build.key import EngineKey, key_from_onnx
from vlm_ros.build.lock import never
from vlm_ros.build.preflight import check_build_memory
from vlm_ros.build.progress import Meter, OnProgress, Progress, Stage, silent
from vlm_ros.build.store import EngineStore
from vlm_ros.build.vendors import ONNXRUNTIME, TENSORRT, builder_for
from vlm_ros.core.bundle import AUTO, Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.errors import BadBundle, Cancelled, MissingEngine


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
    engines = {}
    for part in _chosen(bundle, parts):
        chosen = _precision_of(part, bundle, precision, store, builder)
        engine = store.find(key_from_onnx(part, bundle.onnx(part, chosen), chosen, builder))
        if engine is None:
            raise MissingEngine(
                f"'{part}' of '{bundle.name}' is not built for this device ({builder.runtime} on {builder.device}): "
                f"run  vlm_ros build {bundle.folder}{_options(precision, builder)}"
            )
        engines[part] = engine
    return engines


def build_bundle(
    bundle: Bundle,
    store: EngineStore,
    *,
    precision: str = "fp32",
    builder: EngineBuilder | None = None,
    parts: Sequence[str] = (),
    on_progress: OnProgress = silent,
    cancelled: Callable[[], bool] = never,
    clock: Clock = monotonic_s,
) -> dict[str, Path]:
    """The engine of every part (``parts`` empty: all of the bundle); builds those that the store lacks.

    ``precision`` may be ``auto``: then each part has the one that was chosen for this device, fp32 where none was.
    ``cancelled`` is asked between parts, within them where the builder can stop, and while another process
    writes the store: then ``Cancelled`` is raised, and what was finished stays. ``BuildFailed`` where a part
    cannot be built or stored.
    """
    work = _Work(bundle, precision, store, builder or builder_for(ONNXRUNTIME, bundle), on_progress, cancelled)
    jobs = [work.check(part) for part in _chosen(bundle, parts)]
    missing = [job for job in jobs if job.engine is None]
    meter = Meter(sum(total_bytes(job.onnx) for job in missing), clock)
    built = {job.key: work.build(job, meter) for job in missing}
    on_progress(Progress("", Stage.READY, 1.0, 0.0, not missing, f"'{bundle.name}' is ready"))
    return {job.key.part: job.engine or built[job.key] for job in jobs}


@dataclass(frozen=True)
class _Job:
    key: EngineKey
    onnx: Path
    engine: Path | None


@dataclass(frozen=True)
class _Work:
    bundle: Bundle
    precision: str
    store: EngineStore
    builder: EngineBuilder
    on_progress: OnProgress
    cancelled: Callable[[], bool]

    def check(self, part: str) -> _Job:
        """What is to be done for ``part``; its engine if there is one already."""
        self._stop_if_cancelled(part)
        self.on_progress(Progress(part, Stage.CHECKING, 0.0, None, False, f"looking for '{part}'"))
        precision = _precision_of(part, self.bundle, self.precision, self.store, self.builder)
        onnx = self.bundle.onnx(part, precision)
        key = key_from_onnx(part, onnx, precision, self.builder)
        engine = self.store.find(key)
        if engine is not None:
            self.on_progress(Progress(part, Stage.READY, 0.0, None, True, f"'{part}' was built before"))
        return _Job(key, onnx, engine)

    def build(self, job: _Job, meter: Meter) -> Path:
        """The engine of ``job``, built now."""
        part, size_bytes = job.key.part, total_bytes(job.onnx)
        self._stop_if_cancelled(part)
        check_build_memory(job.onnx)
        message = f"building '{part}' from {size_bytes / 1e6:.1f} MB for {job.key.runtime}"
        self.on_progress(Progress(part, Stage.BUILDING, meter.fraction, meter.eta_s, False, message))

        def tell(fraction: float) -> None:
            meter.be_within(fraction * size_bytes)
            self.on_progress(Progress(part, Stage.BUILDING, meter.fraction, meter.eta_s, False, message))

        build = partial(self.builder.build, job.onnx, watch=Watch(tell, self.cancelled))
        engine = self.store.add(job.key, build, self.cancelled)
        meter.add(size_bytes)
        self.on_progress(Progress(part, Stage.READY, meter.fraction, meter.eta_s, False, f"'{part}' is built"))
        return engine

    def _stop_if_cancelled(self, part: str) -> None:
        if self.cancelled():
            raise Cancelled(f"building '{self.bundle.name}' stopped before '{part}'; what was finished stays")


def _precision_of(part: str, bundle: Bundle, precision: str, store: EngineStore, builder: EngineBuilder) -> str:
    if precision != AUTO:
        return precision
    return kept_precision(bundle, part, store, builder) or "fp32"


def _options(precision: str, builder: EngineBuilder) -> str:
    """What tells ``vlm_ros build`` to make these engines, where it does not do so by itself."""
    runtime = builder.runtime.split()[0]
    options = [f" --precision {precision}"] if precision != "fp32" else []
    return "".join(options + ([f" --runtime {runtime}"] if runtime == TENSORRT else []))


def _chosen(bundle: Bundle, parts: Sequence[str]) -> Sequence[str]:
    if not (parts or bundle.parts):
        raise BadBundle(f"'{bundle.folder}' has no onnx/*.onnx: export the model into it, or copy it again")
    return parts or bundle.parts
