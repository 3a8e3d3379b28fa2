"""The small model that decides when the large one is asked: its engines are built and taken as the large one's are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from vlm_ros.build.building import build_bundle
from vlm_ros.build.store import EngineStore
from vlm_ros.build.vendors import ONNXRUNTIME, TENSORRT, builder_for
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.frame import Frame
from vlm_ros.models.cascade import Cascade, CascadeConfig
from vlm_ros.models.matching import Embedder
from vlm_ros.service.config import ServiceConfig
from vlm_ros.service.models import models_served
from vlm_ros.service.opening import open_gate
from vlm_ros.service.service import AS_EXPORTED

BUNDLES = Path(__file__).parents[2] / "bundles"
LLAVA, CLIP = str(BUNDLES / "tiny_llava"), str(BUNDLES / "tiny_clip")


def picture(seed: int) -> Frame:
    return Frame(np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8))


def test_the_gate_is_built_after_the_model_where_there_is_one() -> None:
    both = models_served(LLAVA, "q4", CLIP)
    assert [(bundle.name, precision) for bundle, precision in both] == [("tiny_llava", "q4"), ("tiny_clip", "fp32")]
    assert [bundle.name for bundle, _ in models_served(LLAVA, "q4", "")] == ["tiny_llava"]
    with pytest.raises(BadBundle, match="no model 'nowhere'"):
        models_served(LLAVA, "q4", "nowhere")


def test_the_gate_changes_to_what_was_built_of_it_between_two_pictures(tmp_path: Path) -> None:
    """Its precision is its own, whatever that of the model is."""
    store, config = EngineStore(tmp_path), ServiceConfig(threads=1, precision="q4")
    _, (bundle, precision) = models_served(LLAVA, config.precision, CLIP)
    gate = open_gate(bundle, config, store)
    assert gate.runtime == AS_EXPORTED

    def compares() -> Embedder:
        gate.seat.settle()
        return cast(Embedder, gate.seat.model)

    cascade = Cascade(compares, bundle.card, CascadeConfig)
    cascade.described(picture(0))
    build_bundle(bundle, store, precision=precision, builder=builder_for(ONNXRUNTIME, bundle))
    end_s, number = time.monotonic() + 20.0, 0
    while not gate.on_engines and time.monotonic() < end_s:
        gate.look()
        number += 1
        cascade.described(picture(number))
        time.sleep(0.01)
    assert gate.runtime.startswith("onnxruntime ")
    assert not cascade.wants_description(Frame(picture(number).rgb)), "it is the picture that was described"
    assert cascade.wants_description(picture(number + 1))
    gate.close()


def test_the_gate_is_found_on_tensorrt_when_its_plans_were_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    monkeypatch.syspath_prepend(str(BUNDLES.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    from emulator import installed

    config = ServiceConfig(runtime=TENSORRT, threads=1, precision="q4")
    with installed():
        _, (bundle, precision) = models_served(LLAVA, config.precision, CLIP)
        build_bundle(bundle, EngineStore(), precision=precision, builder=builder_for(TENSORRT, bundle))
        gate = open_gate(bundle, config, EngineStore())
        assert gate.runtime.startswith("tensorrt")
        gate.close()
