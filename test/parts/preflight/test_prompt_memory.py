"""The memory that a prompt takes which fills the context: foreseen, and compared with a measured one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from parts import TINY
from test_build_memory import measured_bytes

from vlm_ros.build.blocks import BlockBuilder
from vlm_ros.build.building import build_bundle
from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
from vlm_ros.build.prompt_memory import Attention, attention_of, prompt_bytes
from vlm_ros.build.run_memory import bundle_memory
from vlm_ros.build.run_preflight import check_run_memory, run_peak_bytes
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import NotEnoughMemory
from vlm_ros.core.onnx_files import DECODER, WITH_PAST
from vlm_ros.runtime.prompt_pieces import BRANCH_TOKENS, MOST_SCORES

CONTEXT, HEADS = 4096, 4
SCORES_BYTES = MOST_SCORES * HEADS * 4


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A LLaVA whose weights are tiny and whose context is long."""
    folder = Path(shutil.copytree(TINY, tmp_path / "bundle"))
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = CONTEXT
    (folder / "config.json").write_text(json.dumps(config))
    return Bundle(folder)


def graphs_of(bundle: Bundle) -> dict:
    return {part: (bundle.onnx(part), "fp32") for part in bundle.parts}


@pytest.mark.parametrize("rows", [1, 3])
def test_estimate_is_above_what_long_prompts_take_and_below_twice_that(bundle: Bundle, rows: int) -> None:
    measured = measured_bytes("answer", bundle.folder, rows)
    assert measured > 4 * SCORES_BYTES, "the scores of attention do not show"
    assert measured < run_peak_bytes(bundle, graphs_of(bundle), rows) < 2 * measured


def test_memory_that_validation_tells_is_above_what_a_long_prompt_takes_and_below_twice_that(bundle: Bundle) -> None:
    told = bundle_memory(bundle, "fp32", bundle.parts)
    measured = measured_bytes("read", bundle.folder, 1)
    assert measured < told.activation_bytes + told.cache_bytes < 2 * measured


def test_engines_need_no_room_for_scores_when_they_go_block_by_block(bundle: Bundle) -> None:
    engines = build_bundle(bundle, EngineStore(bundle.folder / "engines"))
    built = {part: (path, "fp32") for part, path in engines.items()}
    foreseen = run_peak_bytes(bundle, built)
    assert run_peak_bytes(bundle, graphs_of(bundle)) > foreseen + 6 * SCORES_BYTES
    assert measured_bytes("answer built", bundle.folder, 1) < foreseen < 2 * SCORES_BYTES + 3 * 16e6


def test_refusal_advises_engines_when_the_scores_of_attention_are_written_out(bundle: Bundle) -> None:
    with pytest.raises(NotEnoughMemory, match=r"run engines \(vlm_ros build .*\), most of which save 0\.14 GB"):
        check_run_memory(bundle, graphs_of(bundle), free_bytes=10**8)
    check_run_memory(bundle, graphs_of(bundle), free_bytes=2 * 10**8)


def test_prompts_count_as_long_as_they_go_where_a_graph_has_a_branch_for_them(bundle: Bundle, tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "use_cache_branch")]
    node = helper.make_node("Softmax", ["x"], ["y"])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    onnx.save(helper.make_model(helper.make_graph([node], "merged", values, [result])), tmp_path / "merged.onnx")
    merged, plain = attention_of(tmp_path / "merged.onnx"), attention_of(bundle.onnx(DECODER))
    assert (merged.pairs, plain.pairs) == (BRANCH_TOKENS**2, MOST_SCORES)
    more_bytes = prompt_bytes(bundle.config, merged) - prompt_bytes(bundle.config, plain)
    assert more_bytes > 6 * HEADS * 4 * (BRANCH_TOKENS**2 - MOST_SCORES)
    graphs = graphs_of(bundle)
    in_two = {**graphs, WITH_PAST: graphs[DECODER]}
    assert run_peak_bytes(bundle, in_two) > run_peak_bytes(bundle, graphs) + more_bytes
    told, decoder = bundle_memory(bundle, "fp32", bundle.parts), bundle.onnx(DECODER)
    shutil.copy(decoder, decoder.with_name(f"{WITH_PAST}.onnx"))
    decoder.rename(decoder.with_name("decoder_model.onnx"))
    pair = Bundle(bundle.folder)
    of_two = bundle_memory(pair, "fp32", pair.parts)
    assert of_two.activation_bytes > told.activation_bytes + more_bytes


@pytest.mark.parametrize(
    ("positions", "kept", "counted"),
    [("sequence", "", True), (1, "", False), ("sequence", "num_logits_to_keep", False)],
)
def test_logits_of_all_tokens_count_where_a_graph_gives_them(
    positions: object, kept: str, counted: bool, bundle: Bundle, tmp_path: Path
) -> None:
    vocabulary = 50_000
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", kept) if name]
    result = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, positions, vocabulary])
    node = helper.make_node("MatMul", ["x", "x"], ["logits"])
    onnx.save(helper.make_model(helper.make_graph([node], "head", values, [result])), tmp_path / "head.onnx")
    attention = attention_of(tmp_path / "head.onnx")
    more_bytes = prompt_bytes(bundle.config, attention) - prompt_bytes(bundle.config, Attention())
    assert more_bytes == (1024 * vocabulary * 4 if counted else 0)


def test_engine_in_blocks_counts_as_all_of_its_blocks(bundle: Bundle, tmp_path: Path) -> None:
    whole, page = tmp_path / "whole", tmp_path / "page"
    OnnxRuntimeBuilder().build(bundle.onnx(DECODER), whole)
    BlockBuilder(OnnxRuntimeBuilder(), 2).build(bundle.onnx(DECODER), page)
    in_blocks, at_once = (run_peak_bytes(bundle, {"part": (path, "fp32")}) for path in (page, whole))
    assert in_blocks > at_once
