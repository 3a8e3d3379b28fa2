"""Vision encoders and embedding tables that others exported answer as ours do."""

from __future__ import annotations

from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", exc_type=ImportError)

import part_forms  # noqa: E402
import surgery  # noqa: E402
from foreign import DECODER, EMBED, VISION, Change, answers, change, same  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from vlm_ros.core.bundle import Bundle  # noqa: E402


def more_outputs(name: str, shape: list, *nodes: onnx.NodeProto) -> Change:
    """An output ``name`` in front of the others, which ``nodes`` make."""

    def apply(model: onnx.ModelProto) -> None:
        model.graph.node.extend(nodes)
        model.graph.output.insert(0, helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    return apply


def test_answers_are_ours_when_the_embedding_takes_int32(folder: Path, ours: list) -> None:
    change(folder, EMBED, lambda model: surgery.retype(model, kind=TensorProto.INT32, of=TensorProto.INT64))
    assert same(answers(Bundle(folder)), ours)


def test_answers_are_ours_when_the_vision_encoder_takes_one_picture_without_a_batch(folder: Path, ours: list) -> None:
    change(folder, VISION, part_forms.without_batch)
    assert same(answers(Bundle(folder)), ours)


def test_answers_are_nearly_ours_when_everything_that_goes_in_and_out_is_half_precision(
    folder: Path, ours: list
) -> None:
    for part in (VISION, EMBED, DECODER):
        change(folder, part, surgery.retype)
    assert same(answers(Bundle(folder)), ours, tolerance=0.1)


@pytest.mark.parametrize("part", [VISION, EMBED, DECODER])
def test_answers_are_nearly_ours_when_one_part_is_half_precision(part: str, folder: Path, ours: list) -> None:
    change(folder, part, surgery.retype)
    assert same(answers(Bundle(folder)), ours, tolerance=0.1)


@pytest.mark.parametrize("output", ["image_embeds", "last_hidden_state", "anything"])
def test_answers_are_ours_when_the_features_are_called_otherwise(output: str, folder: Path, ours: list) -> None:
    change(folder, VISION, lambda model: surgery.rename(model, lambda name: name.replace("image_features", output)))
    assert same(answers(Bundle(folder)), ours)


@pytest.mark.parametrize(("pooled", "output"), [("image_embeds", "last_hidden_state"), ("output_0", "output_1")])
def test_answers_are_ours_when_one_vector_for_the_picture_comes_with_the_features(
    pooled: str, output: str, folder: Path, ours: list
) -> None:
    mean = helper.make_node("ReduceMean", [output, "tokens_axis"], [pooled], keepdims=0)
    change(
        folder,
        VISION,
        lambda model: surgery.rename(model, lambda name: name.replace("image_features", output)),
        lambda model: surgery.constant(model, "tokens_axis", [1]),
        more_outputs(pooled, ["batch", 32], mean),
    )
    assert same(answers(Bundle(folder)), ours)


@pytest.mark.parametrize(
    ("name", "kind", "shape"),
    [
        ("pixel_attention_mask", TensorProto.BOOL, ["batch", 32, 32]),
        ("image_sizes", TensorProto.INT64, ["batch", 2]),
    ],
)
def test_answers_are_ours_when_the_vision_encoder_takes_more(
    name: str, kind: int, shape: list, folder: Path, ours: list
) -> None:
    change(folder, VISION, lambda model: surgery.add_input(model, name, kind, shape))
    assert same(answers(Bundle(folder)), ours)


def test_answers_are_ours_when_the_vision_encoder_takes_tiles_of_pictures(folder: Path, ours: list) -> None:
    change(folder, VISION, part_forms.tiles_of_pictures)
    assert same(answers(Bundle(folder)), ours)


OTHER_OUTPUTS: dict[str, Change] = {
    "mask": more_outputs(
        "mask", ["batch", "sequence"], helper.make_node("Cast", ["input_ids"], ["mask"], to=TensorProto.FLOAT)
    ),
    "as many numbers": more_outputs(
        "negative", ["batch", "sequence", 32], helper.make_node("Neg", ["inputs_embeds"], ["negative"])
    ),
}


@pytest.mark.parametrize("form", OTHER_OUTPUTS)
def test_answers_are_ours_when_the_embedding_gives_more_than_embeddings(form: str, folder: Path, ours: list) -> None:
    change(folder, EMBED, OTHER_OUTPUTS[form])
    assert same(answers(Bundle(folder)), ours)


def test_answers_are_ours_when_the_embedding_puts_the_picture_in_place(folder: Path, ours: list) -> None:
    change(folder, EMBED, part_forms.merging_embedding)
    assert same(answers(Bundle(folder)), ours)
