"""A model that answers on ONNX Runtime while TensorRT's plans are built, and on those afterwards."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vlm_ros.build.building import build_bundle
from vlm_ros.build.check import AnswerCheck
from vlm_ros.build.store import EngineStore
from vlm_ros.build.vendors import TENSORRT, builder_for
from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed
from vlm_ros.core.frame import Frame
from vlm_ros.service.checking import answer_check
from vlm_ros.service.config import ServiceConfig
from vlm_ros.service.opening import open_service
from vlm_ros.service.service import AS_EXPORTED, Service

CONFIG = ServiceConfig(runtime=TENSORRT, threads=1)
PICTURE = Frame(np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineStore:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return EngineStore()


def answer(service: Service) -> str:
    return service.seat.model.observe(PICTURE).ask("What is in the image?", FreeText(16)).text


def test_answers_stay_the_same_when_checked_plans_take_over(
    backend: SimpleNamespace, tiny: Bundle, store: EngineStore
) -> None:
    service = open_service(tiny, CONFIG, store)
    before = answer(service)
    assert service.runtime == AS_EXPORTED
    build_bundle(tiny, store, builder=builder_for(TENSORRT, tiny), check=answer_check(tiny, "fp32"))
    end_s = time.monotonic() + 20.0
    while not service.on_engines and time.monotonic() < end_s:
        service.look()
        service.seat.settle()
        time.sleep(0.01)
    assert service.runtime.startswith("tensorrt")
    assert answer(service) == before
    service.close()


def test_plan_is_refused_when_it_does_not_answer_as_its_graph(
    backend: SimpleNamespace, tiny: Bundle, store: EngineStore
) -> None:
    """The inputs to compare on are another graph's, which this one does not take."""
    wrong = AnswerCheck(tiny, lambda: {"embed_tokens": [{"input_ids": np.array([[10**6]])}]})
    with pytest.raises(BuildFailed, match="'embed_tokens' for tensorrt.*does not run"):
        build_bundle(tiny, store, builder=builder_for(TENSORRT, tiny), parts=["embed_tokens"], check=wrong)
    assert store.entries() == []
