"""quantize, validate and build --precision auto, as typed, on the tiny model."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from parts import TINY
from PIL import Image

from vlm_ros.build.building import find_engines
from vlm_ros.build.choice import Choice
from vlm_ros.build.precision.passes import PASSES
from vlm_ros.build.store import EngineStore
from vlm_ros.build.validation.outputs import NOT_COMPARED
from vlm_ros.build.vendors import ONNXRUNTIME, TENSORRT, builder_for
from vlm_ros.cli import main
from vlm_ros.commands.choosing import Material, _Bench, checked_together, choose_precisions
from vlm_ros.commands.pictures import pictures
from vlm_ros.commands.validation_report import Findings
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed
from vlm_ros.models.recording import record

PARTS = {"decoder_model_merged", "embed_tokens", "vision_encoder"}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(draw.integers(0, 255, (32, 32, 3), np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    folder = shutil.copytree(TINY, tmp_path_factory.mktemp("bundle") / "tiny")
    words = ["quantize", str(folder), "--precision", "int8, q4", "--images", str(images), "--pictures", "1", "--json"]
    assert main(words) == 0
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_files_lie_beside_the_fp32_ones(quantized: Path) -> None:
    names = {path.stem for path in (quantized / "onnx").iterdir()}
    assert names == {f"{part}{suffix}" for part in PARTS for suffix in ("", "_int8", "_q4")}
    assert set(Bundle(quantized).parts) == PARTS


def test_part_that_fails_is_named_and_reported(
    quantized: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["validate", str(quantized), "--images", str(images), "--pictures", "1", "--out", str(tmp_path), "--json"]
    assert main(words) == 1
    report = json.loads(capsys.readouterr().out)
    passed = {(part["part"], part["precision"]): part["passed"] for part in report["parts"]}
    assert passed[("vision_encoder", "int8")]
    assert not passed[("decoder_model_merged", "q4")]
    assert 0 <= report["answers"]["q4"] <= report["answers"]["int8"] <= 1
    written = json.loads((tmp_path / "report.json").read_text())
    assert all(part["layers"] for part in written["parts"] if part["part"] != "embed_tokens")
    with Image.open(tmp_path / "report.png") as picture:
        assert picture.width > 500


def test_table_and_faults_are_shown(quantized: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(quantized), "--precision", "q4", "--images", str(images), "--pictures", "1"]) == 1
    shown = capsys.readouterr().out
    assert "not used" in shown
    assert "decoder_model_merged at q4: 'logits': correlation 0." in shown


def test_fp32_is_not_said_to_have_passed_where_it_is_the_reference(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["validate", str(TINY), "--images", str(images), "--pictures", "1", "--out", str(tmp_path)]
    assert main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {(part["precision"], part["verdict"]) for part in report["parts"]} == {("fp32", "not compared")}
    assert not report["passed"]
    assert report["answers"] == {}
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "not compared" in shown
    assert "--checkpoint DIR compares it" in shown
    assert "passed" not in shown


def test_choice_passes_its_gate_and_is_found_by_the_next_start(
    quantized: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["build", str(quantized), "--precision", "auto", "--images", str(images), "--pictures", "1", "--json"]
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["chosen"]) == PARTS
    assert result["chosen"]["decoder_model_merged"]["precision"] != "q4"
    assert all(chosen["reason"] for chosen in result["chosen"].values())
    engines = find_engines(Bundle(quantized), EngineStore(), "auto")
    assert {part: str(engine) for part, engine in engines.items()} == result["engines"]


@pytest.mark.parametrize("rest", [b"", b"no model"], ids=["empty", "other bytes"])
def test_choice_is_among_the_others_where_a_file_is_broken(
    rest: bytes, quantized: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(quantized, tmp_path / "broken")
    (folder / "onnx" / "decoder_model_merged_int8.onnx").write_bytes(rest)
    words = ["build", str(folder), "--precision", "auto", "--images", str(images), "--pictures", "1", "--json"]
    assert main(words) == 0
    chosen = json.loads(capsys.readouterr().out)["chosen"]
    assert chosen["decoder_model_merged"]["precision"] != "int8"
    reason = "int8 not timed, refused: '[^']*decoder_model_merged_int8.onnx' is not a whole ONNX file"
    assert re.search(reason, chosen["decoder_model_merged"]["reason"])


def test_choice_is_among_the_others_where_a_precision_cannot_be_made(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph with a loop, of which there is no fp16."""

    def refuse(*_: object) -> None:
        raise BuildFailed("'Loop_3' is a branch or a loop (Loop)")

    bundle = Bundle(shutil.copytree(TINY, tmp_path / "loop"))
    monkeypatch.setitem(PASSES, "fp16", refuse)  # type: ignore[arg-type]
    choices = choose_precisions(bundle, EngineStore(), images, 1, lambda message, fraction: None)
    assert all("fp16 not timed, refused: 'Loop_3' is a branch" in choice.reason for choice in choices.values())


def test_precision_that_changes_nothing_is_told_of_and_not_chosen(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As INT8 weights of an encoder that has none but those of convolutions."""
    bundle = Bundle(shutil.copytree(TINY, tmp_path / "same"))
    monkeypatch.setitem(PASSES, "int8", lambda model, samples: model)  # type: ignore[arg-type]
    looking = ["--images", str(images), "--pictures", "1"]
    assert main(["quantize", str(bundle.folder), "--precision", "int8", *looking]) == 0
    assert "embed_tokens at int8 is no smaller than fp32: none of its weights are narrower" in capsys.readouterr().out
    assert main(["validate", str(bundle.folder), "--precision", "int8", *looking, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {(part["verdict"], part["passed"]) for part in report["parts"]} == {("no smaller", False)}
    assert not report["passed"]
    choices = choose_precisions(bundle, EngineStore(), images, 1, lambda message, fraction: None)
    assert all("int8 not timed, refused: no smaller than fp32" in choice.reason for choice in choices.values())


def test_all_parts_stay_fp32_when_together_they_answer_otherwise(quantized: Path, images: Path) -> None:
    bundle, frames = Bundle(quantized), pictures(images, 1, seed=0)
    reference = record(bundle, {}, frames)
    material = Material(reference, reference, frames)
    alike = {part: Choice("fp32", "fastest") for part in PARTS}
    assert checked_together(bundle, alike, material) == alike
    different = checked_together(bundle, {part: Choice("q4", "fastest") for part in PARTS}, material)
    assert {choice.precision for choice in different.values()} == {"fp32"}
    assert all("of the tokens of whole answers stay (at least 90%)" in choice.reason for choice in different.values())


@pytest.mark.parametrize("runtime", [ONNXRUNTIME, TENSORRT])
def test_precision_is_not_chosen_where_nothing_was_compared(runtime: str) -> None:
    bundle = Bundle(TINY)
    bench = _Bench(bundle, EngineStore(), builder_for(ONNXRUNTIME, bundle), runtime)
    assert bench.faults("vision_encoder", "fp32", ()) == [NOT_COMPARED]


@pytest.mark.parametrize("command", ["quantize", "validate"])
def test_precision_is_named_when_nobody_knows_it(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, str(TINY), "--precision", "q5", "--images", "nowhere"]) == 2
    assert "q5" in capsys.readouterr().err


def test_precision_that_cannot_answer_is_reported_beside_one_that_can(
    quantized: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A weight that is not a number: the layer that holds it is what validate is asked for."""
    folder = shutil.copytree(quantized, tmp_path / "spoilt")
    model = onnx.load(folder / "onnx" / "vision_encoder.onnx")
    product = next(node for node in model.graph.node if node.op_type == "MatMul")
    weight = next(tensor for tensor in model.graph.initializer if tensor.name in product.input)
    spoilt = onnx.numpy_helper.to_array(weight).copy()
    spoilt[0, 0] = np.nan
    weight.CopyFrom(onnx.numpy_helper.from_array(spoilt, weight.name))
    for part in PARTS - {"vision_encoder"}:
        shutil.copy(folder / "onnx" / f"{part}.onnx", folder / "onnx" / f"{part}_fp16.onnx")
    onnx.save(model, folder / "onnx" / "vision_encoder_fp16.onnx")
    words = ["validate", str(folder), "--precision", "fp16,int8", "--images", str(images), "--pictures", "1"]
    assert main([*words, "--out", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert f"vision_encoder at fp16: first wrong layer '{product.name}'" in shown
    assert "no answers at fp16: the decoder gives logits that are not numbers" in shown
    report = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    assert report["answers"]["fp16"] == 0.0 < report["answers"]["int8"]
    assert report["parts"][0]["outputs"]["image_features"]["correlation"] is None
    assert report["parts"][3]["precision"] == "int8"
    assert report["parts"][3]["passed"]


def test_precision_that_cannot_be_loaded_is_reported_beside_one_that_can(
    quantized: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(quantized, tmp_path / "cut")
    for part in PARTS:
        content = (folder / "onnx" / f"{part}.onnx").read_bytes()
        whole = part != "vision_encoder"
        (folder / "onnx" / f"{part}_fp16.onnx").write_bytes(content if whole else content[:-1000])
    words = ["validate", str(folder), "--precision", "fp16,int8", "--images", str(images), "--pictures", "1"]
    assert main([*words, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    passed = {(part["part"], part["precision"]): part["passed"] for part in report["parts"]}
    assert not passed[("vision_encoder", "fp16")]
    assert passed[("vision_encoder", "int8")]
    assert report["answers"]["fp16"] == 0.0 < report["answers"]["int8"]
    assert report["unanswered"].keys() == {"fp16"}
    assert report["memory"].keys() == {"int8"}


def test_findings_have_not_passed_where_the_parts_do_and_the_model_gives_no_answer() -> None:
    assert Findings("tiny", "its fp32 graphs", (), {"int8": 1.0}, {}, {}).passed
    assert not Findings("tiny", "its fp32 graphs", (), {"int8": 0.0}, {"int8": "no numbers"}, {}).passed


@pytest.mark.parametrize("count", ["0", "-1"])
@pytest.mark.parametrize(
    "words",
    [["quantize", "--precision", "qdq"], ["validate"], ["build", "--precision", "auto"]],
    ids=lambda words: words[0],
)
def test_check_on_no_picture_is_refused(
    words: list[str], count: str, quantized: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([words[0], str(quantized), *words[1:], "--pictures", count]) == 2
    assert f"--pictures is {count}: give 1 or more" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.choice.json"))


def test_command_is_named_when_the_precision_was_not_made(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(TINY), "--precision", "q4", "--images", str(images), "--pictures", "1"]) == 2
    assert f"vlm_ros quantize {TINY} --precision q4" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["validate"], ["validate", "--precision", "fp16"], ["quantize"], ["build", "--precision", "auto"]],
    ids=" ".join,
)
def test_fp32_is_what_is_missed_where_others_left_it_out(
    words: list[str], images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(TINY, tmp_path / "narrow")
    for part in PARTS:
        (folder / "onnx" / f"{part}.onnx").rename(folder / "onnx" / f"{part}_fp16.onnx")
    assert main([*words, str(folder), "--images", str(images), "--pictures", "1"]) == 2
    said = capsys.readouterr().err
    assert re.search(r"at fp16, and lacks fp32, which .*vlm_ros export .*vlm_ros build .*narrow", said), said
    assert main(["build", str(folder)]) == 0
