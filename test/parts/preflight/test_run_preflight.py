"""The memory that a loaded model takes: foreseen, compared with a measured one, and refused in time."""

from __future__ import annotations

from pathlib import Path

import pytest
from parts import TINY, chain, weight
from PIL import Image
from test_build_memory import WIDTH, measured_bytes

from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
from vlm_ros.build.precision.files import write_model
from vlm_ros.build.precision.weight_only import int4_weights, int8_weights
from vlm_ros.build.preflight import SKIP_VARIABLE
from vlm_ros.build.run_preflight import batch_limit, cache_bytes, check_run_memory, run_peak_bytes
from vlm_ros.cli import main
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import NotEnoughMemory

BUNDLE = Bundle(TINY)
GRAPHS = {part: (BUNDLE.onnx(part), "fp32") for part in BUNDLE.parts}
NARROW = {"fp32": lambda model: model, "int8": int8_weights, "q4": int4_weights}


@pytest.fixture(scope="module")
def large():
    return chain(*[weight(WIDTH, WIDTH, seed) for seed in range(24)])


@pytest.mark.parametrize("built", [False, True], ids=["as exported", "built"])
@pytest.mark.parametrize("precision", NARROW)
def test_estimate_is_above_what_loading_takes_and_below_two_and_a_half_times_that(
    large, precision: str, built: bool, tmp_path: Path
) -> None:
    path = tmp_path / "part.onnx"
    write_model(NARROW[precision](large), path)
    if built:
        OnnxRuntimeBuilder(threads=1).build(path, tmp_path / "engine")
        path = tmp_path / "engine"
    measured = measured_bytes("load", path)
    assert measured < run_peak_bytes(BUNDLE, {"part": (path, precision)}) < 2.5 * measured


def test_estimate_holds_for_weights_that_lie_in_another_file(tmp_path: Path) -> None:
    path = tmp_path / "part.onnx"
    write_model(chain(*[weight(WIDTH, WIDTH, seed) for seed in range(24)]), path, one_file_bytes=1000)
    measured = measured_bytes("load", path)
    assert measured < run_peak_bytes(BUNDLE, {"part": (path, "fp32")}) < 2 * measured


def test_cache_is_that_of_a_full_context() -> None:
    text = BUNDLE.config["text_config"]
    heads, width = text["num_key_value_heads"], text["hidden_size"] // text["num_attention_heads"]
    layers, tokens = text["num_hidden_layers"], text["max_position_embeddings"]
    assert cache_bytes(BUNDLE.config) == 2 * layers * heads * width * tokens * 4
    assert cache_bytes({"model_type": "clip"}) == 0


def test_cache_counts_tokens_in_layers_that_attend_alone() -> None:
    sizes = {"num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 256}
    sizes |= {"hidden_size": 1024, "conv_L_cache": 3, "linear_conv_kernel_dim": 4}
    sizes |= {"linear_num_key_heads": 16, "linear_num_value_heads": 16}
    sizes |= {"linear_key_head_dim": 128, "linear_value_head_dim": 128, "max_position_embeddings": 1000}
    kinds = ["linear_attention", "conv", "full_attention", "linear_attention"]
    states = 2 * (6144 * 4 + 16 * 128 * 128) + 1024 * 3
    assert cache_bytes({"text_config": {**sizes, "layer_types": kinds}}) == 4 * (2 * 2 * 256 * 1000 + states)
    assert cache_bytes({"text_config": sizes}) == 4 * 4 * 2 * 2 * 256 * 1000


def test_batch_is_as_large_as_memory_allows() -> None:
    one_bytes, more_bytes = run_peak_bytes(BUNDLE, GRAPHS), 2 * cache_bytes(BUNDLE.config)
    free = {0: 1, one_bytes: 1, one_bytes + 2 * more_bytes: 3, one_bytes + 100 * more_bytes: 8}
    assert {size: batch_limit(BUNDLE, GRAPHS, 8, size) for size in free} == free


def test_model_is_refused_with_advice_when_it_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        NotEnoughMemory, match=r"'tiny_llava' at fp32 takes about 0.05 GB .* 0.01 GB are free.*q4.*swap"
    ):
        check_run_memory(BUNDLE, GRAPHS, free_bytes=10_000_000)
    check_run_memory(BUNDLE, GRAPHS, free_bytes=10**9)
    monkeypatch.setenv(SKIP_VARIABLE, "1")
    check_run_memory(BUNDLE, GRAPHS, free_bytes=10_000_000)


@pytest.mark.parametrize("words", [("describe",), ("ask",)])
def test_command_refuses_before_it_loads(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "grey.png")
    question = ["What is this?"] if words == ("ask",) else []
    command = [*words, str(tmp_path / "grey.png"), *question, "--model", str(TINY)]
    monkeypatch.setattr("vlm_ros.build.run_preflight.available_bytes", lambda: 10_000_000)
    assert main(command) == 2
    assert "0.01 GB are free" in capsys.readouterr().err
    monkeypatch.setenv(SKIP_VARIABLE, "1")
    assert main(command) == 0
