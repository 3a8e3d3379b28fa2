"""A file that failed its gate is not used, until it is another file, there is another gate, or somebody insists."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from vlm_ros.build.building import build_bundle
from vlm_ros.build.packing import verify
from vlm_ros.build.precision.passes import write_part
from vlm_ros.build.store import EngineStore
from vlm_ros.build.verdicts import VERDICTS, Verdict, check_verdicts, keep_verdicts
from vlm_ros.cli import main
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed
from vlm_ros.core.seal import seal
from vlm_ros.service.config import ServiceConfig
from vlm_ros.service.opening import open_service

PART = "embed_tokens"
FAILED = Verdict(PART, "int8", ("'inputs_embeds': correlation 0.5 (at least 0.995)",))
REFUSED = "'embed_tokens' of 'tiny' failed its gate at int8 and is not used .*correlation 0.5.*--ignore-gate"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """The tiny bundle in fp32 and INT8."""
    bundle = Bundle(shutil.copytree(Path(__file__).parents[2] / "bundles" / "tiny_llava", tmp_path / "tiny"))
    for part in bundle.parts:
        write_part(bundle, part, "int8", [])
    return bundle


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "store")


def test_build_refuses_what_failed_and_builds_it_for_whoever_insists(bundle: Bundle, store: EngineStore) -> None:
    keep_verdicts(bundle, [FAILED])
    with pytest.raises(BuildFailed, match=REFUSED):
        build_bundle(bundle, store, precision="int8", parts=[PART])
    build_bundle(bundle, store, precision="int8", parts=[PART], ignore_gate=True)
    with pytest.raises(BuildFailed, match=REFUSED):  # also where the store has it
        build_bundle(bundle, store, precision="int8", parts=[PART])


def test_what_failed_is_not_loaded(bundle: Bundle, store: EngineStore) -> None:
    keep_verdicts(bundle, [FAILED])
    with pytest.raises(BuildFailed, match=REFUSED):
        open_service(bundle, ServiceConfig(threads=1, precision="int8"), store)
    open_service(bundle, ServiceConfig(threads=1, precision="int8", ignore_gate=True), store).close()
    open_service(bundle, ServiceConfig(threads=1), store).close()


def test_question_is_answered_by_what_failed_only_for_whoever_insists(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_verdicts(bundle, [FAILED])
    Image.new("RGB", (8, 8)).save(tmp_path / "grey.png")
    question = ["ask", str(tmp_path / "grey.png"), "what?", "--model", str(bundle.folder), "--precision", "int8"]
    assert main(question) == 2
    assert "failed its gate at int8" in capsys.readouterr().err
    assert main([*question, "--ignore-gate"]) == 0


def test_verdict_says_nothing_once_the_file_is_another(bundle: Bundle) -> None:
    keep_verdicts(bundle, [FAILED])
    shutil.copy(bundle.onnx("vision_encoder"), bundle.onnx(PART, "int8"))
    check_verdicts(bundle, {PART: "int8"})


def test_verdict_says_nothing_once_the_gate_is_another(bundle: Bundle) -> None:
    keep_verdicts(bundle, [FAILED])
    card = bundle.optional_json("model_card.json")
    (bundle.folder / "model_card.json").write_text(json.dumps({**card, "gates": {"int8": {"correlation": 0.4}}}))
    check_verdicts(Bundle(bundle.folder), {PART: "int8"})


def test_last_verdict_holds(bundle: Bundle) -> None:
    keep_verdicts(bundle, [FAILED])
    keep_verdicts(bundle, [Verdict(PART, "int8", ())])
    check_verdicts(bundle, {PART: "int8"})


@pytest.mark.parametrize("edited", [5, [], {}, {"faults": 5}, {"faults": [5]}])
def test_what_is_no_verdict_says_nothing(bundle: Bundle, edited: object) -> None:
    (bundle.folder / VERDICTS).write_text(json.dumps({f"onnx/{PART}_int8.onnx": edited}))
    check_verdicts(bundle, {PART: "int8"})


def test_verdicts_are_no_strangers_in_a_sealed_bundle(bundle: Bundle) -> None:
    seal(bundle.folder)
    keep_verdicts(bundle, [FAILED])
    assert verify(bundle.folder) == []


def test_validator_keeps_what_it_finds(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["validate", str(bundle.folder), "--precision", "int8", "--pictures", "1"])
    kept = json.loads((bundle.folder / VERDICTS).read_text())
    assert set(kept) == {f"onnx/{part}_int8.onnx" for part in bundle.parts}
    assert any(verdict["faults"] for verdict in kept.values()) == (status == 1)


def test_nothing_is_kept_of_what_was_compared_with_nothing(bundle: Bundle) -> None:
    assert main(["validate", str(bundle.folder), "--precision", "fp32", "--pictures", "1"]) == 0
    assert not (bundle.folder / VERDICTS).exists()


def test_findings_are_told_to_be_lost_when_the_bundle_cannot_be_written(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    (bundle.folder / f".{VERDICTS}.{os.getpid()}").mkdir()  # no mode keeps out root, as whom tests may run
    keep_verdicts(bundle, [FAILED])
    assert "cannot be written" in caplog.text


def test_build_says_that_nobody_validated_what_was_made_here(
    bundle: Bundle, store: EngineStore, caplog: pytest.LogCaptureFixture
) -> None:
    build_bundle(bundle, store, precision="int8", parts=[PART])
    assert f"vlm_ros validate {bundle.folder} --precision int8" in caplog.text
    caplog.clear()
    keep_verdicts(bundle, [Verdict(PART, "int8", ())])
    build_bundle(bundle, store, precision="int8", parts=[PART])
    build_bundle(bundle, store, parts=[PART])
    assert caplog.text == ""
