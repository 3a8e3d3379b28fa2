"""From settings to a model in service."""

from __future__ import annotations

from dataclasses import replace

from vlm_ros.build.run_preflight import Graphs
from vlm_ros.build.store import EngineStore
from vlm_ros.build.tensorrt.options import TensorRtOptions
from vlm_ros.build.vendors import CUDA, builder_for
from vlm_ros.build.wanted import WantedEngines, wanted_engines
from vlm_ros.core.bundle import AUTO, Bundle
from vlm_ros.core.errors import BadConfig, BuildFailed, MissingEngine, MissingLibrary
from vlm_ros.models.loading import parts_of
from vlm_ros.models.matching import Embedder
from vlm_ros.service.config import ServiceConfig
from vlm_ros.service.models import GATE_PRECISION
from vlm_ros.service.service import AS_EXPORTED, ON_CUDA, Service, as_built, graphs_of


def open_service(bundle: Bundle, config: ServiceConfig, store: EngineStore) -> Service:
    """``bundle``, loaded and warm: on its engines where they are built, else on ONNX Runtime.

    With ``wait_for_engines`` it is the engines or an error: ``MissingEngine``, ``MissingLibrary`` or
    ``BuildFailed``. ``NotEnoughMemory`` where it would not fit.
    """
    wanted, fault = None, ""
    try:
        if config.runtime == CUDA:
            return _on_cuda(bundle, config)
        builder = builder_for(config.runtime, bundle, TensorRtOptions(batch=config.batch, portable=config.portable))
        wanted = wanted_engines(bundle, store, config.precision, builder, parts_of(bundle))
        service = Service(bundle, config, wanted)
        service.open(graphs_of(wanted, wanted.find()), as_built(wanted))
        return service
    except MissingEngine:
        if config.wait_for_engines:
            raise
    except (MissingLibrary, BuildFailed) as error:
        if config.wait_for_engines:
            raise
        fault = str(error)
    service = Service(bundle, config, wanted, fault)
    service.open(_as_exported(bundle, config, wanted), AS_EXPORTED)
    return service


def open_gate(bundle: Bundle, config: ServiceConfig, store: EngineStore) -> Service:
    """The small model that decides when the large one is asked, on engines where they are built.

    ``BadConfig`` where it is none that compares pictures with texts; otherwise as ``open_service``.
    """
    service = open_service(bundle, replace(config, precision=GATE_PRECISION, wait_for_engines=False), store)
    if not isinstance(service.seat.model, Embedder):
        service.close()
        raise BadConfig(f"'gate_model' is '{bundle.name}', which compares nothing: give a CLIP")
    return service


def _on_cuda(bundle: Bundle, config: ServiceConfig) -> Service:
    """ONNX Runtime optimises for a GPU each time it loads a graph: there is nothing to wait for."""
    service = Service(bundle, config, None)
    service.open(_as_exported(bundle, config, None), ON_CUDA)
    return service


def _as_exported(bundle: Bundle, config: ServiceConfig, wanted: WantedEngines | None) -> Graphs:
    """The ONNX files that the engines are made of; fp32 where nobody can tell what was chosen for this device."""
    if wanted is not None:
        return graphs_of(wanted, wanted.onnx)
    wish = "fp32" if config.precision == AUTO else config.precision
    precisions = {part: bundle.best_precision(part, wish) for part in parts_of(bundle)}
    return {part: (bundle.onnx(part, precision), precision) for part, precision in precisions.items()}
