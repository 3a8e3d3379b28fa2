"""LFM2-VL as it lies on the hub: filled-up patches behind a mask, features of all tiles in one row, no positions."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import onnx
from onnx import TensorProto, helper, numpy_helper

from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.frame import Frame
from vlm_ros.export.exporting import export_bundle
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.loading import load_model

MAKE = Path(__file__).parents[1] / "bundles" / "make_tiny_pictures.py"
KEY = "past_key_values.1.key"
SHAPES = [(48, 64), (200, 100), (20, 90)]


def picture(shape, seed=0):
    return Frame(np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8))


def rename(model, old, new):
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]


def in_front(model, *nodes):
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def add_constants(model, **values):
    model.graph.initializer.extend(numpy_helper.from_array(np.array(value), name) for name, value in values.items())


def as_vision_encoder_of_the_hub(model):
    """The mask says how many patches are not filled up, and the features have no dimension for tiles."""
    rename(model, "pixel_values", "kept")
    rename(model, "image_features", "features_by_tile")
    add_constants(model, zero=[0], one=[1], row=[-1, 32])
    model.graph.input.append(
        helper.make_tensor_value_info("pixel_attention_mask", TensorProto.INT64, ["batch_size", "max_num_patches"])
    )
    in_front(
        model,
        helper.make_node("ReduceMax", ["pixel_attention_mask", "zero"], ["first_mask"], keepdims=0),
        helper.make_node("ReduceSum", ["first_mask", "zero"], ["count"], keepdims=1),
        helper.make_node("Slice", ["pixel_values", "zero", "count", "one"], ["kept"]),
    )
    model.graph.node.append(helper.make_node("Reshape", ["features_by_tile", "row"], ["image_features"]))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("image_features", TensorProto.FLOAT, ["tokens", 32]))
    del model.graph.value_info[:]


def as_decoder_of_the_hub(model):
    """Positions are counted from the length of the cache."""
    model.graph.input.remove(next(value for value in model.graph.input if value.name == "position_ids"))
    add_constants(model, first_axis=[0], step=1)
    in_front(
        model,
        helper.make_node("Shape", [KEY], ["seen_row"], start=2, end=3),
        helper.make_node("Shape", ["inputs_embeds"], ["new_row"], start=1, end=2),
        helper.make_node("Add", ["seen_row", "new_row"], ["all_row"]),
        helper.make_node("Squeeze", ["seen_row"], ["seen"]),
        helper.make_node("Squeeze", ["all_row"], ["all"]),
        helper.make_node("Range", ["seen", "all", "step"], ["counted"]),
        helper.make_node("Unsqueeze", ["counted", "first_axis"], ["position_ids"]),
    )


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lfm2_vl")
    runpy.run_path(str(MAKE))["make_lfm2_vl"](folder / "checkpoint")
    export_bundle(folder / "checkpoint", folder / "bundle")
    return Bundle(folder / "bundle")


@pytest.fixture(params=["vision_encoder", "embed_images"])
def theirs(request, ours, tmp_path):
    """The same model as the hub has it; Liquid AI calls two of the parts otherwise than the ONNX community does."""
    folder = Path(shutil.copytree(ours.folder, tmp_path / "hub"))
    decoder = "decoder_model_merged" if request.param == "vision_encoder" else "decoder"
    for part, name, change in (
        ("vision_encoder", request.param, as_vision_encoder_of_the_hub),
        ("decoder_model_merged", decoder, as_decoder_of_the_hub),
    ):
        model = onnx.load(ours.onnx(part))
        change(model)
        (folder / "onnx" / f"{part}.onnx").unlink()
        onnx.save(model, folder / "onnx" / f"{name}.onnx")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "lfm2-vl"}))
    (folder / "model_card.json").unlink()
    return Bundle(folder)


@pytest.mark.parametrize("shape", SHAPES)
def test_answers_are_those_of_our_export(ours, theirs, shape):
    models = [load_model(bundle, threads=1) for bundle in (ours, theirs)]
    texts = [model.observe(picture(shape)).ask("red?", FreeText(24)).text for model in models]
    assert texts[0] == texts[1]
    for model in models:
        model.close()


def test_questions_go_one_by_one_when_nothing_hides_padding_from_the_states(ours, theirs):
    requests = [
        Request(picture(SHAPES[0], seed), text, FreeText(8)) for seed, text in enumerate(("red?", "a ball? no"))
    ]
    answered = []
    for bundle, most in ((ours, 2), (theirs, 1)):
        model = load_model(bundle, threads=1)
        assert model.most_rows(2) == most
        answered.append([answer.text for answer in ask_all(model, requests, max_batch=2)])
        model.close()
    assert answered[0] == answered[1]
