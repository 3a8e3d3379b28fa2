"""The memory that a loaded model takes: foreseen, compared with a measured one, and refused in time."""

from __future__ import annotations

from pathlib import Path

import pytest
from parts import TINY, chain, weight
from PIL import Image
from test_build_memory import NARROW, WIDTH, measured_bytes

from vlm_ros.build import run_preflight
from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
from vlm_ros.build.precision.files import write_model
from vlm_ros.build.row_memory import cache_bytes, encoded_bytes, picture_bytes, row_bytes
from vlm_ros.build.run_preflight import about_run_bytes, batch_limit, check_run_memory, run_peak_bytes
from vlm_ros.cli import main
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.catalogue import PublicModel
from vlm_ros.core.errors import NotEnoughMemory
from vlm_ros.runtime.free_memory import SKIP_VARIABLE

BUNDLE = Bundle(TINY)
GRAPHS = {part: (BUNDLE.onnx(part), "fp32") for part in BUNDLE.parts}


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


@pytest.mark.parametrize("precision", NARROW)
def test_estimate_holds_for_weights_that_lie_in_another_file(precision: str, tmp_path: Path) -> None:
    path = tmp_path / "part.onnx"
    model = chain(*[weight(WIDTH, WIDTH, seed) for seed in range(24)])
    write_model(NARROW[precision](model), path, one_file_bytes=1000)
    measured = measured_bytes("load", path)
    assert measured < run_peak_bytes(BUNDLE, {"part": (path, precision)}) < 2 * measured


@pytest.mark.parametrize("one_file_bytes", [10**9, 1000], ids=["one file", "weights beside"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "q4"])
def test_what_a_model_takes_is_about_right_when_only_its_size_is_known(
    precision: str, one_file_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_preflight, "ONE_FILE_BYTES", one_file_bytes)
    model = chain(*[weight(WIDTH, WIDTH, seed) for seed in range(8)])
    write_model(NARROW[precision](model), tmp_path / "part.onnx", one_file_bytes)
    foreseen = run_peak_bytes(BUNDLE, {"part": (tmp_path / "part.onnx", precision)})
    weights_gb = PublicModel("", "", 8 * WIDTH**2 / 1e6, "").weights_gb(precision)  # type: ignore[arg-type]
    assert about_run_bytes(weights_gb * 1e9, precision, 1) == pytest.approx(foreseen, rel=0.2)


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
    one_bytes, two_bytes = (run_peak_bytes(BUNDLE, GRAPHS, rows) for rows in (1, 2))
    more_bytes = two_bytes - one_bytes
    assert row_bytes(BUNDLE.config) == 2 * cache_bytes(BUNDLE.config) + picture_bytes(BUNDLE.config)
    assert row_bytes(BUNDLE.config) < more_bytes, "its prompt takes memory too"
    free = {0: 1, one_bytes: 1, one_bytes + 2 * more_bytes: 3, one_bytes + 100 * more_bytes: 8}
    assert {size: batch_limit(BUNDLE, GRAPHS, 8, size) for size in free} == free


T5 = {"model_type": "t5", "num_heads": 4, "num_decoder_layers": 3, "d_kv": 8, "n_positions": 100}
BLIP = {"num_attention_heads": 4, "num_hidden_layers": 3, "hidden_size": 32, "max_position_embeddings": 64}
LARGE = {"image_size": 80, "patch_size": 8}


@pytest.mark.parametrize(
    ("config", "cached_tokens", "encoded_tokens"),
    [
        ({"model_type": "blip-2", "text_config": T5}, 100, 100),
        ({"model_type": "blip", "text_config": BLIP, "vision_config": LARGE}, 64, 101),
        ({"model_type": "llava", "text_config": BLIP, "vision_config": LARGE}, 64, 0),
    ],
)
def test_what_a_decoder_keeps_of_an_encoder_counts(config: dict, cached_tokens: int, encoded_tokens: int) -> None:
    token_bytes = 2 * 3 * 4 * 8 * 4
    assert cache_bytes(config) == token_bytes * cached_tokens
    assert encoded_bytes(config) == token_bytes * encoded_tokens
    assert row_bytes(config) == 2 * cache_bytes(config) + encoded_bytes(config)


def test_pictures_count_as_the_slices_that_they_are_cut_into() -> None:
    """As of MiniCPM-V, whose tower would take 70 by 70 patches."""
    tower = {"patch_size": 14, "hidden_size": 1152, "intermediate_size": 4304, "num_attention_heads": 16}
    whole, sliced, small = (
        picture_bytes({"vision_config": {**tower, "image_size": side_px}}, slice_px)
        for side_px, slice_px in ((980, None), (980, 448), (448, 980))
    )
    assert small == sliced == picture_bytes({"vision_config": {**tower, "image_size": 448}}) < whole / 10


def test_batch_is_one_when_nobody_knows_what_it_takes() -> None:
    assert row_bytes({"model_type": "clip", "text_config": {}}) == 0


def test_model_is_refused_with_advice_when_it_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        NotEnoughMemory, match=r"'tiny_llava' at fp32 takes about 0.06 GB .* 0.01 GB are free.*q4.*swap"
    ):
        check_run_memory(BUNDLE, GRAPHS, free_bytes=10_000_000)
    check_run_memory(BUNDLE, GRAPHS, free_bytes=10**9)
    with pytest.raises(NotEnoughMemory, match="takes about .* while it answers 500 questions at once"):
        check_run_memory(BUNDLE, GRAPHS, free_bytes=10**8, batch=500)
    monkeypatch.setenv(SKIP_VARIABLE, "1")
    check_run_memory(BUNDLE, GRAPHS, free_bytes=10_000_000)


@pytest.mark.parametrize("words", [("describe",), ("ask",)])
def test_command_refuses_before_it_loads(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "grey.png")
    question = ["What is this?"] if words == ("ask",) else []
    command = [*words, str(tmp_path / "grey.png"), *question, "--model", str(TINY)]
    monkeypatch.setattr("vlm_ros.build.run_preflight.available_bytes", lambda **_: 10_000_000)
    assert main(command) == 2
    assert "0.01 GB are free" in capsys.readouterr().err
    monkeypatch.setenv(SKIP_VARIABLE, "1")
    assert main(command) == 0
