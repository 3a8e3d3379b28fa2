"""Products in INT4 as ONNX Runtime's own tools write them, in blocks of any size."""

from __future__ import annotations

from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", exc_type=ImportError)

from foreign import DECODER, QUESTIONS, Change, answers, change, picture, same  # noqa: E402
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer  # noqa: E402

from vlm_ros.build.building import build_bundle  # noqa: E402
from vlm_ros.build.precision.passes import PASSES, write_part  # noqa: E402
from vlm_ros.build.run_memory import run_memory, sizes_at  # noqa: E402
from vlm_ros.build.store import EngineStore  # noqa: E402
from vlm_ros.build.validation.outputs import compared_outputs  # noqa: E402
from vlm_ros.build.weight_kinds import weights_of  # noqa: E402
from vlm_ros.core.answer import FreeText  # noqa: E402
from vlm_ros.core.bundle import Bundle  # noqa: E402
from vlm_ros.models.loading import load_model  # noqa: E402
from vlm_ros.models.recording import record  # noqa: E402

sizes = pytest.mark.parametrize("block", [32, 128])


def int4_products(block: int) -> Change:
    """MatMulNBits in the place of each product with a weight, ``block`` weights to a scale."""

    def apply(model: onnx.ModelProto) -> None:
        quantizer = MatMulNBitsQuantizer(model, block_size=block, is_symmetric=True)
        quantizer.process()
        model.CopyFrom(quantizer.model.model)

    return apply


@pytest.fixture
def bundle(folder: Path, block: int) -> Bundle:
    change(folder, DECODER, int4_products(block))
    return Bundle(folder)


@sizes
@pytest.mark.parametrize("blocks", [1, 2])
def test_engines_answer_as_the_file_does(bundle: Bundle, blocks: int, tmp_path: Path) -> None:
    model = load_model(bundle, build_bundle(bundle, EngineStore(tmp_path / "engines"), blocks=blocks), threads=1)
    answer = model.observe(picture(5)).ask(QUESTIONS[0], FreeText(max_tokens=8))
    model.close()
    assert same([(answer.text, answer.confidence)], answers(bundle)[:1])


@sizes
@pytest.mark.parametrize("precision", PASSES)
def test_precisions_leave_the_products_as_they_are(bundle: Bundle, precision: str) -> None:
    samples = record(bundle, {}, [picture(5)], threads=1).feeds[DECODER][:3]
    made = write_part(bundle, DECODER, precision, samples)
    agreements, _ = compared_outputs(bundle.onnx(DECODER), made, samples)
    assert min(agreement.correlation for agreement in agreements.values()) > 0.999


@sizes
def test_weights_and_caches_are_counted(bundle: Bundle) -> None:
    file, ours = bundle.onnx(DECODER), Path(__file__).parents[2] / "bundles/tiny_llava/onnx" / f"{DECODER}.onnx"
    products = [node for node in onnx.load(file).graph.node if node.op_type == "MatMulNBits"]
    packed = {tensor.name: len(tensor.raw_data) for tensor in onnx.load(file).graph.initializer}
    inside, _ = weights_of(file)
    assert inside.narrow == pytest.approx(sum(packed[node.input[1]] for node in products), rel=0.05)
    assert run_memory(file, sizes_at(256)).cache_bytes == run_memory(ours, sizes_at(256)).cache_bytes > 0
