"""A model that answers from the start, and changes to the engines for this device when they are there.

Until then ONNX Runtime runs the ONNX files that the engines are made of. New engines are loaded and warmed up
beside the model that answers, and take its place between two pictures. Where memory does not hold both, the
old model goes first, and answers pause while the new one is loaded.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from vlm_ros.build.lock import hold
from vlm_ros.build.manifest import MANIFEST
from vlm_ros.build.origin import check_origins
from vlm_ros.build.preflight import available_bytes
from vlm_ros.build.run_preflight import Graphs, check_run_memory, run_peak_bytes
from vlm_ros.build.vendors import TENSORRT
from vlm_ros.build.verdicts import check_verdicts
from vlm_ros.build.wanted import WantedEngines
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.errors import NotEnoughMemory
from vlm_ros.models.loading import load_model, warm_up
from vlm_ros.models.model import Model
from vlm_ros.models.seat import Change, ModelSeat
from vlm_ros.service.build_news import UNHEARD, BuildNews
from vlm_ros.service.config import ServiceConfig

_log = logging.getLogger(__name__)
_RETRY_S = 30.0
"""Engines that could not be loaded are tried again after so long, and at once where they were built anew."""

AS_EXPORTED, ON_CUDA = "onnxruntime, as exported", "onnxruntime on CUDA"


class Service:
    """Call ``look`` every second or so, and ``close`` once nobody works with the model on ``seat`` any more.

    ``wanted`` is ``None`` where the engines cannot run here, which ``fault`` explains. ``news`` is for whoever
    hears of a build to set.
    """

    def __init__(
        self,
        bundle: Bundle,
        config: ServiceConfig,
        wanted: WantedEngines | None,
        fault: str = "",
        clock: Clock = monotonic_s,
    ) -> None:
        self.news: BuildNews = UNHEARD
        self.fault = fault
        self._bundle = bundle
        self._config = config
        self._wanted = wanted
        self._written = () if wanted is None else wanted.written
        self._clock = clock
        self._next_try_s = float("-inf")
        self._refused: tuple[int | None, ...] = ()
        self._enough_bytes = 0
        self._loading: threading.Thread | None = None
        self._offered = False
        self._gone = ""
        self._held = ExitStack()

    def open(self, graphs: Graphs, runtime: str) -> None:
        """Load ``graphs`` as the first model."""
        self.runtime = runtime
        model, self._held = self._loaded(graphs, gpu=_on_gpu(runtime))
        self.seat = ModelSeat(model)

    @property
    def on_engines(self) -> bool:
        """Whether the engines that were wanted answer."""
        return self.runtime != AS_EXPORTED

    @property
    def health(self) -> tuple[bool, str]:
        """Whether all is as it should be, and in words what answers and why."""
        if self.on_engines and self.news.failure:
            return False, f"on {self.runtime}, of an earlier build; the last one failed: {self.news.failure}"
        if self.on_engines:
            return True, f"on {self.runtime}"
        if self._gone:
            return False, f"no model answers; it is loaded again as soon as that works: {self._gone}"
        if self.fault:
            return False, f"on ONNX Runtime: {self.fault}"
        if self.news.progress is not None:
            return True, f"on ONNX Runtime while engines are built ({self.news.progress:.0%})"
        if self.news.failure:
            return False, f"on ONNX Runtime, since the engines could not be built: {self.news.failure}"
        if self._wanted is not None and self._wanted.missing:
            if self._wanted.written != self._written:
                return False, "on ONNX Runtime, with a model whose ONNX files changed since: configure this node again"
            missing = ", ".join(self._wanted.missing)
            return False, f"on ONNX Runtime, since engines are missing: {missing}; run  {self._wanted.command}"
        return True, "on ONNX Runtime while the engines are loaded"

    def look(self) -> None:
        """Begin to load the engines if they are there now, or the first model again where none is left."""
        wanted = self._wanted
        busy = self._offered or (self._loading is not None and self._loading.is_alive())
        if self.on_engines or busy or wanted is None:
            return
        if self._gone:
            if self._clock() >= self._next_try_s:
                self._offer(lambda gone: self._restored(gone, wanted))
        elif not wanted.missing and self._worth_trying(wanted.versions):
            self._loading = threading.Thread(target=self._change_to, args=(wanted,), name="engines", daemon=True)
            self._loading.start()

    def close(self) -> None:
        """Free the model, and the next one if it is on its way."""
        self.seat.close()
        self._held.close()

    def _change_to(self, wanted: WantedEngines) -> None:
        """Load the engines in a thread of our own and have the worker take them over."""
        runtime, versions = as_built(wanted), wanted.versions
        try:
            graphs = graphs_of(wanted, wanted.find())
            if self._fits_beside(graphs, gpu=_on_gpu(runtime)):
                model, held = self._loaded(graphs, gpu=_on_gpu(runtime))
                self._offer(lambda old: self._exchanged(model, held, runtime), withdraw=held.close)
            else:
                _log.warning("memory does not hold both models: answers pause while the engines are loaded")
                self._offer(lambda old: self._replaced(old, graphs, wanted))
        except Exception as error:
            self._give_up(error, versions)

    def _offer(self, change: Change, withdraw: Callable[[], None] = lambda: None) -> None:
        """Have the worker do ``change``, and ``look`` wait until it is done."""

        def done(old: Model) -> Model:
            try:
                return change(old)
            finally:
                self._offered = False

        self._offered = True
        self.seat.offer(done, withdraw)

    def _exchanged(self, new: Model, held: ExitStack, runtime: str) -> Model:
        self._held.close()
        self._held = held
        self._settle(runtime)
        return new

    def _replaced(self, old: Model, graphs: Graphs, wanted: WantedEngines) -> Model:
        """Load the engines in the place of ``old``, and its own files again where that fails."""
        versions, gpu = wanted.versions, _on_gpu(as_built(wanted))
        needed_bytes = run_peak_bytes(self._bundle, graphs, self._batch, gpu=gpu)
        free_bytes = available_bytes(gpu=gpu) or 0
        try:
            self._held.close()
            new, self._held = self._loaded(graphs, gpu=gpu)
        except Exception as error:
            lacking = isinstance(error, NotEnoughMemory)
            enough_bytes = _enough_bytes(needed_bytes, free_bytes, available_bytes(gpu=gpu) or 0)
            self._give_up(error, versions, enough_bytes if lacking else 0)
            return self._restored(old, wanted)
        self._settle(as_built(wanted))
        return new

    def _restored(self, gone: Model, wanted: WantedEngines) -> Model:
        """The files that the engines are made of, loaded again; ``gone``, which answers nothing, where that fails."""
        self._next_try_s = self._clock() + _RETRY_S
        try:
            model, self._held = self._loaded(graphs_of(wanted, wanted.onnx), gpu=False)
        except Exception as error:
            self._gone = f"{type(error).__name__}: {error}"
            _log.error("no model answers: %s", self._gone)
            return gone
        self._gone = ""
        return model

    def _settle(self, runtime: str) -> None:
        self.runtime, self.fault = runtime, ""

    def _give_up(self, error: Exception, versions: tuple[int | None, ...], enough_bytes: int = 0) -> None:
        """Leave engines of ``versions`` alone for a while, and until ``enough_bytes`` are free."""
        self.fault = f"the engines cannot be used: {error}"
        self._refused, self._next_try_s, self._enough_bytes = versions, self._clock() + _RETRY_S, enough_bytes
        _log.error("%s", self.fault)

    def _worth_trying(self, versions: tuple[int | None, ...]) -> bool:
        """Whether nothing speaks against ``versions`` any more: each try may take the working model down."""
        if versions != self._refused:
            return True
        gpu = self._wanted is not None and _on_gpu(as_built(self._wanted))
        free_bytes = available_bytes(gpu=gpu)
        return self._clock() >= self._next_try_s and (free_bytes is None or free_bytes >= self._enough_bytes)

    def _fits_beside(self, graphs: Graphs, *, gpu: bool) -> bool:
        free_bytes = available_bytes(gpu=gpu)
        unbounded = free_bytes is None or not self._config.check_memory
        return unbounded or run_peak_bytes(self._bundle, graphs, self._batch, gpu=gpu) <= (free_bytes or 0)

    @property
    def _batch(self) -> int:
        """How many questions at once the engines are made for, which take memory for as many."""
        return 1 if self._wanted is None else self._wanted.builder.batch

    def _loaded(self, graphs: Graphs, *, gpu: bool) -> tuple[Model, ExitStack]:
        """The model of ``graphs``, warm, and what frees it; until then nobody prunes the engines among them."""
        manifests = [path.parent / MANIFEST for path, _ in graphs.values()]
        with ExitStack() as held:
            held.enter_context(hold(filter(Path.is_file, manifests)))
            check_origins(self._bundle, graphs)
            if not self._config.ignore_gate:
                check_verdicts(self._bundle, {part: precision for part, (_, precision) in graphs.items()})
            if self._config.check_memory:
                check_run_memory(self._bundle, graphs, batch=self._batch, gpu=gpu)
            paths: Mapping[str, Path] = {part: path for part, (path, _) in graphs.items()}
            model = load_model(self._bundle, paths, threads=self._config.threads, cuda=self.runtime == ON_CUDA)
            held.callback(model.close)
            warm_up(model)
            return model, held.pop_all()


def _enough_bytes(needed_bytes: int, free_before_bytes: int, free_bytes: int) -> int:
    """How much must be free for engines to fit, beside the model or in its place.

    They did not fit in ``free_bytes`` now that it is gone; ``free_before_bytes`` were free while it was loaded.
    """
    return min(needed_bytes, free_before_bytes + needed_bytes - free_bytes)


def _on_gpu(runtime: str) -> bool:
    """Whether a GPU computes with what is called so."""
    return runtime == ON_CUDA or runtime.startswith(TENSORRT)


def as_built(wanted: WantedEngines) -> str:
    """What runs the engines, in words."""
    return f"{wanted.builder.runtime}, built for this device"


def graphs_of(wanted: WantedEngines, paths: Mapping[str, Path]) -> Graphs:
    """``paths`` by part, each with the precision that is wanted of the part."""
    return {part: (path, wanted.parts[part].key.precision) for part, path in paths.items()}
