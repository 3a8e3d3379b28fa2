"""The vision encoder of a model as a graph, whatever its tensors are called and whatever type they are in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlm_ros.core.errors import BadBundle
from vlm_ros.runtime.runner import Array, Runner, TensorSpec

_ROLES = {
    "pixel_values": ("pixel_values", "images", "image", "pixels", "input"),
    "pixel_attention_mask": ("pixel_attention_mask", "pixel_mask"),
    "image_grid_thw": ("image_grid_thw", "grid_thw", "grid"),
    "image_sizes": ("image_sizes", "image_size"),
    "target_sizes": ("target_sizes", "tgt_sizes"),
}
"""What is known of a picture, and how exporters call the input that takes it."""

_PER_TILE = ("pixel_values", "pixel_attention_mask")
"""What has a row for each tile of a picture."""

_OUTPUTS = ("image_features", "image_embeds", "image_embeddings", "vision_features", "last_hidden_state")
"""What exporters call the features of a picture, the likeliest first."""


class VisionPart:
    """Features of pictures, of the ``width`` that the decoder's embeddings have (``None``: nobody knows)."""

    def __init__(self, runner: Runner, width: int | None) -> None:
        self._runner = runner
        self._inputs = _inputs_by_role(runner)
        self._output = _features_output(runner, width)

    @property
    def pixels(self) -> TensorSpec:
        """The input that takes the pixels."""
        return self._inputs["pixel_values"]

    def features(self, tensors: Mapping[str, Array]) -> Array:
        """The features of one picture, of shape (tokens, width), from what is known of it, by role.

        Its tiles go through one by one, which bounds the memory, or as many at once as the graph was made for.
        What the graph does not take is left out.
        """
        tiles, at_once = len(tensors["pixel_values"]), self._tiles_at_once(tensors["pixel_values"])
        if tiles % at_once:
            raise BadBundle(f"the vision encoder takes {at_once} tiles at once and the picture has {tiles}")
        parts = (
            {role: tensor[start : start + at_once] if role in _PER_TILE else tensor for role, tensor in tensors.items()}
            for start in range(0, tiles, at_once)
        )
        return np.concatenate([self._run(part) for part in parts])

    def constant(self, name: str, tensors: Mapping[str, Array]) -> Array | None:
        """The output ``name``, which is the same whatever ``tensors`` are; ``None`` where the graph has none."""
        if name not in self._runner.outputs:
            return None
        return self._runner.run(self._feeds(tensors))[name]

    def _tiles_at_once(self, pixels: Array) -> int:
        if pixels.ndim < 3:
            return len(pixels)  # a row of patches, which is one picture
        fixed = self.pixels.shape[-pixels.ndim]
        return fixed if isinstance(fixed, int) else 1

    def _run(self, tensors: Mapping[str, Array]) -> Array:
        features = self._runner.run(self._feeds(tensors))[self._output]
        return features.reshape(-1, features.shape[-1])

    def _feeds(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        missing = [spec.name for role, spec in self._inputs.items() if role not in tensors]
        if missing:
            raise BadBundle(f"the vision encoder takes {missing}, which this family of models does not make")
        return {spec.name: _fitted(tensors[role], spec) for role, spec in self._inputs.items()}


def _inputs_by_role(runner: Runner) -> dict[str, TensorSpec]:
    """Each input with its role; of a single one it is the pixels whatever it is called."""
    roles = {name: role for role, names in _ROLES.items() for name in names}
    inputs = list(runner.inputs.values())
    unknown = [spec for spec in inputs if spec.name not in roles]
    if len(inputs) == 1:
        return {"pixel_values": inputs[0]}
    if unknown or not any(roles[spec.name] == "pixel_values" for spec in inputs):
        raise BadBundle(
            f"the vision encoder takes {[spec.name for spec in inputs]}, of which nobody feeds "
            f"{[spec.name for spec in unknown]}: export it with pixel_values"
        )
    return {roles[spec.name]: spec for spec in inputs}


def _features_output(runner: Runner, width: int | None) -> str:
    """The output whose vectors are as wide as the decoder's embeddings."""
    by_name = sorted(runner.outputs.values(), key=_likelihood)
    fitting = [spec.name for spec in by_name if len(spec.shape) > 1 and _may_be(spec.shape[-1], width)]
    if not fitting:
        shapes = {spec.name: spec.shape for spec in by_name}
        raise BadBundle(
            f"the vision encoder gives {shapes}, none of it {width} wide as the decoder's embeddings are: "
            "export it with its projector, or take both from one model"
        )
    return fitting[0]


def _likelihood(spec: TensorSpec) -> int:
    return _OUTPUTS.index(spec.name) if spec.name in _OUTPUTS else len(_OUTPUTS)


def _may_be(size: int | str, width: int | None) -> bool:
    return isinstance(size, str) or width is None or size == width


def _fitted(tensor: Array, spec: TensorSpec) -> Array:
    """``tensor`` in the graph's type, with or without leading sizes of 1, as the graph has them."""
    while tensor.ndim < len(spec.shape):
        tensor = tensor[np.newaxis]
    while tensor.ndim > len(spec.shape) and len(tensor) == 1:
        tensor = tensor[0]
    fits = tensor.ndim == len(spec.shape) and all(
        isinstance(wanted, str) or size == wanted for size, wanted in zip(tensor.shape, spec.shape, strict=True)
    )
    if not fits:
        raise BadBundle(
            f"the vision encoder takes '{spec.name}' of shape {spec.shape}, and preprocessor_config.json makes "
            f"{tensor.shape}: they are of two models"
        )
    return tensor.astype(spec.dtype, copy=False)
