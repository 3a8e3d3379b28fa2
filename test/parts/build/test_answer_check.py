"""An engine that does not answer as its ONNX graph is refused before the store takes it in."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlm_ros.build.building import build_bundle
from vlm_ros.build.check import AnswerCheck
from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed, NotEnoughMemory
from vlm_ros.models.recording import sample_feeds

onnx = pytest.importorskip("onnx")

TINY = Bundle(Path(__file__).parents[2] / "bundles" / "tiny_llava")


class LossyBuilder(OnnxRuntimeBuilder):
    """Scales the largest weights of every engine it builds by ``factor``."""

    def __init__(self, factor: float) -> None:
        super().__init__(threads=1)
        self.factor = factor

    def build(self, source: Path, engine: Path, watch: object) -> None:
        model = onnx.load(source)
        tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        array = onnx.numpy_helper.to_array(tensor) * tensor_factor(tensor, self.factor)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
        onnx.save(model, engine)


def tensor_factor(tensor: object, factor: float) -> object:
    return onnx.numpy_helper.to_array(tensor).dtype.type(factor)


def check(bundle: Bundle = TINY) -> AnswerCheck:
    return AnswerCheck(bundle, lambda: sample_feeds(bundle, "fp32"))


def test_engine_is_kept_when_it_answers_as_its_graph(tmp_path: Path) -> None:
    store = EngineStore(tmp_path)
    assert len(build_bundle(TINY, store, builder=LossyBuilder(1.0), check=check())) == 3


@pytest.mark.parametrize("part", ["vision_encoder", "embed_tokens", "decoder_model_merged"])
def test_part_and_distance_are_named_and_nothing_is_kept_when_it_does_not(tmp_path: Path, part: str) -> None:
    store = EngineStore(tmp_path)
    with pytest.raises(BuildFailed, match=f"the engine of '{part}'.*(error|correlation).*(allowed|at least)"):
        build_bundle(TINY, store, builder=LossyBuilder(1.5), check=check(), parts=[part])
    assert store.entries() == []


def test_engine_that_does_not_run_is_refused(tmp_path: Path) -> None:
    class OtherPart(OnnxRuntimeBuilder):
        def build(self, source: Path, engine: Path, watch: object) -> None:
            engine.write_bytes(TINY.onnx("embed_tokens").read_bytes())

    with pytest.raises(BuildFailed, match="does not run"):
        build_bundle(TINY, EngineStore(tmp_path), builder=OtherPart(), check=check(), parts=["vision_encoder"])


def test_engine_is_kept_unchecked_and_the_log_says_so_when_memory_is_short(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def no_room() -> dict[str, list[object]]:
        raise NotEnoughMemory("1 GB needed")

    build_bundle(TINY, EngineStore(tmp_path), check=AnswerCheck(TINY, no_room), parts=["embed_tokens"])
    assert "1 GB needed" in caplog.text
    assert "'embed_tokens' is not compared" in caplog.text
