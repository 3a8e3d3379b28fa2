"""Engines that take several questions at once answer as one after the other, and others are never asked for more."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from emulator.bundle import model_on_emulator
from PIL import Image

from vlm_ros.build.store import EngineStore
from vlm_ros.build.tensorrt.options import TensorRtOptions
from vlm_ros.build.vendors import TENSORRT, builder_for
from vlm_ros.build.wanted import wanted_engines
from vlm_ros.cli import main
from vlm_ros.core.answer import Answer, Choices, FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadConfig
from vlm_ros.core.frame import Frame
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.loading import load_model
from vlm_ros.service.config import ServiceConfig
from vlm_ros.service.opening import open_service

FRAMES = [
    Frame(np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8), stamp_ns=seed) for seed in range(3)
]
REQUESTS = [
    Request(FRAMES[0], "What is in the image?", FreeText(12)),
    Request(FRAMES[1], "Is there a red ball on the left, and how far away is it from here?", FreeText(5)),
    Request(FRAMES[2], "Where is the ball?", Choices(("no", "left, near", "center, far"))),
    Request(FRAMES[0], "And now?", FreeText(9)),
]


def essence(answers: list[Answer]) -> list[tuple]:
    return [(answer.text, answer.tokens, answer.finish, answer.stamp_ns) for answer in answers]


@pytest.fixture(scope="module")
def expected() -> list[tuple]:
    """One after the other, on ONNX Runtime."""
    model = load_model(Bundle(Path(__file__).parents[2] / "bundles/tiny_llava"), threads=1)
    answers = list(ask_all(model, REQUESTS, max_batch=1))
    model.close()
    return essence(answers)


@pytest.mark.parametrize(("built_for", "at_once"), [(1, 1), (3, 3), (8, 4)])
def test_as_many_questions_go_together_as_the_engines_take(
    built_for: int, at_once: int, tiny: Bundle, expected: list[tuple], tmp_path: Path
) -> None:
    with model_on_emulator(tiny, tmp_path, batch=built_for) as model:
        assert model.most_rows(4) == at_once
        assert essence(list(ask_all(model, REQUESTS, max_batch=4))) == expected
        assert essence(list(ask_all(model, REQUESTS, max_batch=1))) == expected


def test_prompts_that_are_longer_than_one_run_takes_go_in_pieces_together(
    backend: SimpleNamespace, tiny: Bundle, expected: list[tuple], tmp_path: Path
) -> None:
    """Of the shorter ones the first pieces are nothing but what fills them up."""
    limits = backend.Limits(prompt_tokens=16, context_tokens=256)
    builder = backend.Builder(limits, backend.Options(batch=4), timings=tmp_path / "timings")
    for part in tiny.parts:
        builder.build(tiny.onnx(part), tmp_path / part)
    model = load_model(tiny, {part: tmp_path / part for part in tiny.parts})
    assert essence(list(ask_all(model, REQUESTS, max_batch=4))) == expected
    model.close()


def test_batch_is_part_of_what_an_engine_is_known_by_and_of_the_command_that_builds_it(
    backend: SimpleNamespace, tiny: Bundle, tmp_path: Path
) -> None:
    one, four = (builder_for(TENSORRT, tiny, TensorRtOptions(batch=batch)) for batch in (1, 4))
    assert four.shapes == "batch 4, prompt 256, context 256, step 8, read 256, side 32"
    wanted = [wanted_engines(tiny, EngineStore(tmp_path), "fp32", builder) for builder in (one, four)]
    assert not {part.key for part in wanted[0].parts.values()} & {part.key for part in wanted[1].parts.values()}
    assert wanted[0].command.endswith("tiny_llava --runtime tensorrt")
    assert wanted[1].command.endswith("tiny_llava --runtime tensorrt --batch 4")
    with pytest.raises(BadConfig, match="for 0 questions"):
        builder_for(TENSORRT, tiny, TensorRtOptions(batch=0))


def asked(capsys: pytest.CaptureFixture[str], folder: Path, *more: str) -> tuple[int, list[str], str]:
    """The status, the answers and the complaints of ``vlm_ros ask`` with two pictures and questions."""
    for number, frame in enumerate(FRAMES[:2]):
        Image.fromarray(frame.rgb).save(folder / f"{number}.png")
    pictures = [str(folder / "0.png"), "What?", "--image", str(folder / "1.png"), "--question", "And where is it now?"]
    status = main(["ask", *pictures, "--model", str(Path(__file__).parents[2] / "bundles/tiny_llava"), *more])
    said = capsys.readouterr()
    return status, [json.loads(line)["text"] for line in said.out.splitlines()], said.err


def test_command_asks_engines_that_were_built_for_it(
    backend: SimpleNamespace,
    tiny: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, expected, _ = asked(capsys, tmp_path)
    runtime = ("--runtime", "tensorrt", "--batch", "4")
    status, _, complaint = asked(capsys, tmp_path, *runtime)
    assert status == 2 and f"vlm_ros build {tiny.folder} --runtime tensorrt --batch 4" in complaint
    for batch in (1, 4):  # engines for one do until there are some for more
        assert main(["build", str(tiny.folder), "--runtime", "tensorrt", "--batch", str(batch)]) == 0
        capsys.readouterr()
        assert asked(capsys, tmp_path, *runtime)[:2] == (0, expected)
    assert len(EngineStore().entries()) == 6
    words = ["describe", str(tmp_path / "0.png"), "--model", str(tiny.folder), "--json"]
    for more in ([], ["--runtime", "tensorrt"]):
        assert main([*words, *more]) == 0
    first, second = (json.loads(line)["text"] for line in capsys.readouterr().out.splitlines())
    assert first == second


def test_service_finds_the_engines_of_its_batch(
    backend: SimpleNamespace, tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["build", str(tiny.folder), "--runtime", "tensorrt", "--batch", "2"]) == 0
    for batch in (2, 3):
        service = open_service(tiny, ServiceConfig(runtime=TENSORRT, threads=1, batch=batch), EngineStore())
        assert service.on_engines == (batch == 2)
        service.close()
