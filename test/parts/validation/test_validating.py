"""A part's report: figures, gates from the card, and why a part is not used."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from parts import TINY, renamed, tiny_feeds
from PIL import Image

from vlm_ros.build.precision.fp16 import narrowed
from vlm_ros.build.precision.passes import write_part
from vlm_ros.build.validation.outputs import NOT_COMPARED
from vlm_ros.build.validation.picture import draw_reports
from vlm_ros.build.validation.validating import validate_part
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.runtime.opening import runner_for

DECODER, VISION = "decoder_model_merged", "vision_encoder"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle(shutil.copytree(TINY, tmp_path / "tiny"))


def test_reference_is_not_compared_with_itself(bundle: Bundle, tmp_path: Path) -> None:
    report = validate_part(bundle, DECODER, "fp32", [tiny_feeds(DECODER)])
    assert report.verdict == "not compared"
    assert not report.passed
    assert not report.faults
    assert report.size_bytes == report.reference_bytes == bundle.onnx(DECODER).stat().st_size
    draw_reports([report], tmp_path / "report.png")


def test_reference_passes_beside_the_checkpoint(bundle: Bundle) -> None:
    report = validate_part(bundle, DECODER, "fp32", [tiny_feeds(DECODER)], runner_for(bundle.onnx(DECODER)))
    assert report.passed
    assert report.tokens == 1.0
    assert report.worst.max_absolute_error == 0.0
    assert len(report.layers) > 100


def test_figures_and_sizes_are_told_when_a_part_passes(bundle: Bundle) -> None:
    path = write_part(bundle, VISION, "int8", [])
    report = validate_part(bundle, VISION, "int8", [tiny_feeds(VISION)])
    assert report.passed, report.faults
    assert 0.99 < report.outputs["image_features"].correlation < 1.0
    assert report.tokens is None
    assert (report.size_bytes, report.reference_bytes) == (path.stat().st_size, bundle.onnx(VISION).stat().st_size)
    assert json.loads(json.dumps(report.to_json()))["passed"]


def test_fault_says_by_how_much_when_the_cards_gate_is_missed(bundle: Bundle) -> None:
    write_part(bundle, VISION, "q4", [])
    card = json.loads((bundle.folder / "model_card.json").read_text())
    card["gates"] = {"q4": {"correlation": 0.9999, "cosine": -1}}
    (bundle.folder / "model_card.json").write_text(json.dumps(card))
    report = validate_part(Bundle(bundle.folder), VISION, "q4", [tiny_feeds(VISION)])
    (fault,) = report.faults
    assert fault.startswith("'image_features': correlation 0.9")
    assert fault.endswith("(at least 0.9999)")


def test_tokens_fail_when_the_logits_are_shuffled(bundle: Bundle) -> None:
    model = onnx.load(bundle.onnx(DECODER))
    head = next(node for node in model.graph.node if "logits" in node.output)
    for tensor in model.graph.initializer:
        if tensor.name == head.input[1]:
            columns = onnx.numpy_helper.to_array(tensor)[:, ::-1]
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(columns), tensor.name))
    onnx.save(model, bundle.folder / "onnx" / f"{DECODER}_int8.onnx")
    report = validate_part(bundle, DECODER, "int8", [tiny_feeds(DECODER)])
    assert report.tokens == 0.0
    assert any(fault.startswith("0% of the next tokens") for fault in report.faults)
    assert not any("present" in fault for fault in report.faults)
    assert report.faults[-1].startswith(f"first layer that strays '{head.name}' (MatMul, float32): off by 1")


def test_overflow_is_named_when_the_answers_hide_it(bundle: Bundle) -> None:
    """Kernels that compute in fp32 inside give right answers here, and wrong ones on the next runtime."""
    model = onnx.load(bundle.onnx(DECODER))
    wide = planted_overflow(model)
    onnx.save(model, bundle.onnx(DECODER))
    path = bundle.folder / "onnx" / f"{DECODER}_fp16.onnx"
    onnx.save(narrowed(model, kept=()), path)
    report = validate_part(bundle, DECODER, "fp16", [tiny_feeds(DECODER)])
    (fault,) = report.faults
    assert fault.startswith(f"first wrong layer '{wide}' (MatMul, float16)")
    assert "infinite" in fault
    write_part(bundle, DECODER, "fp16", [tiny_feeds(DECODER)])
    assert validate_part(bundle, DECODER, "fp16", [tiny_feeds(DECODER)]).passed


def test_report_says_how_many_layers_were_compared(bundle: Bundle) -> None:
    """Half of the head's columns are lost in a graph whose layers are called otherwise: no layer is wrong by itself."""
    model = renamed(onnx.load(bundle.onnx(VISION)))
    product = [node for node in model.graph.node if node.op_type == "MatMul"][-1]
    weight = next(tensor for tensor in model.graph.initializer if tensor.name in product.input)
    lost = onnx.numpy_helper.to_array(weight).copy()
    lost[:, ::2] = 0
    weight.CopyFrom(onnx.numpy_helper.from_array(lost, weight.name))
    onnx.save(model, bundle.folder / "onnx" / f"{VISION}_fp16.onnx")
    report = validate_part(bundle, VISION, "fp16", [tiny_feeds(VISION)])
    assert report.faults[-1].startswith(f"only 1 of {report.layer_count} layers are called as one of fp32's")
    assert report.compared_count == len(report.layers) == 1
    assert report.to_json()["compared_count"] == 1
    write_part(bundle, VISION, "int8", [])
    report = validate_part(bundle, VISION, "int8", [tiny_feeds(VISION)])
    assert report.layer_count > report.compared_count > 0.7 * report.layer_count


def planted_overflow(model: onnx.ModelProto) -> str:
    """Make what goes into an MLP's last product too large for fp16 and its weights as much smaller; who makes it."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in weights]
    _, up, down = [node for node in products if 64 in weights[node.input[1]].dims][:3]
    for node, factor in ((up, 5e4), (down, 1 / 5e4)):
        tensor = weights[node.input[1]]
        array = onnx.numpy_helper.to_array(tensor) * np.float32(factor)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    return str(up.name)


def test_cache_that_went_in_does_not_count(bundle: Bundle) -> None:
    feeds = tiny_feeds(DECODER)
    write_part(bundle, DECODER, "q4", [])
    alone = validate_part(bundle, DECODER, "q4", [feeds]).outputs["present.1.value"]
    shifted = {name: array + 100 if name.startswith("past") else array for name, array in feeds.items()}
    assert validate_part(bundle, DECODER, "q4", [shifted]).outputs["present.0.value"].correlation < 1.0
    assert alone.correlation < 0.9999


def test_both_files_are_named_when_they_are_of_two_parts(bundle: Bundle) -> None:
    shutil.copy(bundle.onnx(VISION), bundle.folder / "onnx" / "embed_tokens_int8.onnx")
    with pytest.raises(BadBundle, match="embed_tokens_int8.onnx.*embed_tokens.onnx"):
        validate_part(bundle, "embed_tokens", "int8", [tiny_feeds("embed_tokens")])


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def of_two_types(path: Path) -> None:
    model = onnx.load(path)
    wide = next(tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT)
    wide.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(wide).astype(np.float64), wide.name))
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("broken", "reason"), [(cut_short, "is not a whole ONNX file"), (of_two_types, "cannot load")], ids=["cut", "types"]
)
def test_part_is_not_used_where_it_cannot_be_loaded(
    bundle: Bundle, tmp_path: Path, broken: Callable[[Path], None], reason: str
) -> None:
    path = Path(shutil.copy(bundle.onnx(VISION), bundle.folder / "onnx" / f"{VISION}_fp16.onnx"))
    broken(path)
    report = validate_part(bundle, VISION, "fp16", [tiny_feeds(VISION)])
    (fault,) = report.faults
    assert f"'{path}'" in fault
    assert reason in fault
    assert report.size_bytes == path.stat().st_size
    draw_reports([report], tmp_path / "report.png")


def test_part_is_not_used_where_nothing_was_compared(bundle: Bundle, tmp_path: Path) -> None:
    write_part(bundle, VISION, "int8", [])
    report = validate_part(bundle, VISION, "int8", [])
    assert report.faults == (NOT_COMPARED,)
    assert math.isnan(report.worst.correlation)
    draw_reports([report], tmp_path / "report.png")


def test_worst_is_the_output_that_is_no_number(bundle: Bundle) -> None:
    write_part(bundle, VISION, "int8", [])
    report = validate_part(bundle, VISION, "int8", [tiny_feeds(VISION)])
    (good,) = report.outputs.values()
    bad = replace(good, correlation=math.nan)
    for outputs in ({"one": good, "two": bad}, {"one": bad, "two": good}):
        assert replace(report, outputs=outputs).worst is bad


def test_picture_has_a_row_for_each_report(bundle: Bundle, tmp_path: Path) -> None:
    write_part(bundle, VISION, "int8", [])
    report = validate_part(bundle, VISION, "int8", [tiny_feeds(VISION)])
    heights = []
    for count in (1, 2):
        draw_reports([report] * count, tmp_path / "report.png")
        with Image.open(tmp_path / "report.png") as picture:
            heights.append(picture.height)
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 3
    assert heights[1] > 1.7 * heights[0]
