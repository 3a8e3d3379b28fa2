"""Encoders and tables as others export them: other rows, tiles, widths and inputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from surgery import FLOAT, Model, add_input, constant, inner, outer, reshape_spec, sizes


def without_shapes(model: Model) -> None:
    """Inputs that do not say how large they are."""
    for value in model.graph.input:
        value.type.tensor_type.ClearField("shape")


def rows(count: int) -> Callable[[Model], None]:
    """A batch of ``count`` and no other."""

    def apply(model: Model) -> None:
        for value in (*model.graph.input, *model.graph.output):
            reshape_spec(value, [count, *sizes(value)[1:]])

    return apply


def without_batch(model: Model) -> None:
    """pixel_values of shape (3, height, width)."""
    reshape_spec(model.graph.input[0], [3, 32, 32])
    axis = constant(model, "pictures_axis", [0])
    inner(model, "pixel_values", helper.make_node("Unsqueeze", ["pixel_values", axis], ["pixel_values_inner"]))


def short_table(model: Model) -> None:
    """Embeddings of the first tokens alone."""
    table = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    first = np.ascontiguousarray(numpy_helper.to_array(table)[:100])
    table.CopyFrom(numpy_helper.from_array(first, table.name))


def tiles_of_pictures(model: Model) -> None:
    """pixel_values of shape (batch, tiles, 3, height, width), and the tiles' masks."""
    reshape_spec(model.graph.input[0], ["batch", "tiles", 3, 32, 32])
    add_input(model, "pixel_attention_mask", TensorProto.BOOL, ["batch", "tiles", 32, 32])
    axis = constant(model, "pictures_axis", [0])
    inner(model, "pixel_values", helper.make_node("Squeeze", ["pixel_values", axis], ["pixel_values_inner"]))


def narrow_features(model: Model) -> None:
    """Features of another width than the decoder's embeddings."""
    start, end, axis = constant(model, "from", [0]), constant(model, "to", [31]), constant(model, "last_axis", [2])
    reshape_spec(model.graph.output[0], ["batch", 16, 31])
    cut = helper.make_node("Slice", ["image_features_inner", start, end, axis], ["image_features"])
    outer(model, "image_features", cut)


def merging_embedding(model: Model) -> None:
    """embed_tokens that puts the picture's features where the image token is."""
    add_input(model, "image_features", FLOAT, ["image_tokens", 32])
    image = constant(model, "image_token", 4)
    outer(
        model,
        "inputs_embeds",
        helper.make_node("Equal", ["input_ids", image], ["is_image"]),
        helper.make_node("NonZero", ["is_image"], ["places"]),
        helper.make_node("Transpose", ["places"], ["places_in_rows"], perm=[1, 0]),
        helper.make_node("ScatterND", ["inputs_embeds_inner", "places_in_rows", "image_features"], ["inputs_embeds"]),
    )
