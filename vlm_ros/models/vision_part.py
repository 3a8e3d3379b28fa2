"""The vision encoder of a model as a graph, whatever its tensors are called and whatever type they are in."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

from vlm_ros.core.errors import BadBundle
from vlm_ros.runtime.runner import Array, Dimension, Runner, TensorSpec

_ROLES = {
    "pixel_values": ("pixel_values", "images", "image", "pixels", "input"),
    "pixel_attention_mask": ("pixel_attention_mask", "pixel_mask"),
    "image_grid_thw": ("image_grid_thw", "grid_thw", "grid"),
    "image_sizes": ("image_sizes", "image_size"),
    "target_sizes": ("target_sizes", "tgt_sizes"),
    "spatial_shapes": ("spatial_shapes",),
}
"""What is known of a picture, and how exporters call the input that takes it."""

_PER_TILE = ("pixel_values", "pixel_attention_mask", "image_sizes", "spatial_shapes")
"""What has a row for each tile of a picture; all else is said of the tiles of a run together."""

_SAME = ("spatial_shapes",)
"""What has a row for each tile, and the same one for all tiles of a run: so each has as many features."""

View = Mapping[str, Array]
"""What is known of some tiles of one shape, by role."""

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

    def takes(self, role: str) -> bool:
        """Whether the graph has an input for what ``role`` says of a picture."""
        return role in self._inputs

    def features(self, views: Iterable[View], together: int = 1) -> list[Array]:
        """The features of each of ``views``, of shape (tokens, width), from what is known of its tiles, by role.

        Tiles that are alike go through at most ``together`` at once, of whichever views, as far as the graph takes
        several; that bounds the memory, as does taking from ``views`` only what is needed next. A graph that was made
        for a number of tiles gets as many. What the graph does not take is left out.
        """
        found: list[list[Array]] = []
        waiting: dict[Hashable, list[tuple[int, int, View]]] = {}
        for number, view in enumerate(views):
            pieces = self._pieces(view)
            found.append([np.empty(0)] * len(pieces))
            for place, piece in enumerate(pieces):
                alike = waiting.setdefault(_shared(piece), [])
                alike.append((number, place, piece))
                if len(alike) == self._most_at_once(piece, together):
                    self._encode(waiting.pop(_shared(piece)), found)
        for alike in waiting.values():
            self._encode(alike, found)
        return [np.concatenate(pieces) for pieces in found]

    def _encode(self, alike: Sequence[tuple[int, int, View]], found: list[list[Array]]) -> None:
        """Put the features of pieces that are ``alike`` where they belong in ``found``."""
        features = self._run([piece for _, _, piece in alike])
        for (number, place, _), feature in zip(alike, features, strict=True):
            found[number][place] = feature

    def constant(self, name: str, tensors: Mapping[str, Array]) -> Array | None:
        """The output ``name``, which is the same whatever ``tensors`` are; ``None`` where the graph has none."""
        if name not in self._runner.outputs:
            return None
        return self._runner.run(self._feeds(tensors))[name]

    def _pieces(self, view: View) -> list[View]:
        """``view`` tile by tile, or in pieces of as many tiles as the graph was made for."""
        tiles, fixed = len(view["pixel_values"]), self._tiles_of_graph(view["pixel_values"])
        if not isinstance(fixed, int):
            fixed = 1
        if tiles % fixed:
            raise BadBundle(f"the vision encoder takes {fixed} tiles at once and the picture has {tiles}")
        return [
            {role: tensor[start : start + fixed] if role in _PER_TILE else tensor for role, tensor in view.items()}
            for start in range(0, tiles, fixed)
        ]

    def _tiles_of_graph(self, pixels: Array) -> Dimension:
        """How many tiles of ``pixels`` the graph takes in one run, or the name of their number."""
        return len(pixels) if pixels.ndim < 3 else _rows_of(self.pixels, pixels)  # a row of patches is one picture

    def _most_at_once(self, piece: View, wanted: int) -> int:
        """How many pieces like ``piece`` one run takes, at most ``wanted``.

        Several where the graph has a row for each of them in what differs, and one for all in what they share.
        """
        if isinstance(self._tiles_of_graph(piece["pixel_values"]), int):
            return 1
        if any(role in self._inputs for role in _SAME) and len(self._runner.outputs[self._output].shape) < 3:
            return 1  # the features of all tiles follow each other, and nobody promises that it is in the tiles' order
        most = wanted
        for role, spec in self._inputs.items():
            tensor = piece.get(role, np.empty(()))
            if isinstance(_rows_of(spec, tensor), str) != (role in _PER_TILE):
                return 1
            if role in _PER_TILE and spec.largest is not None:
                most = min(most, spec.largest[-tensor.ndim])
        return max(1, most)

    def _run(self, pieces: Sequence[View]) -> list[Array]:
        """The features (tokens, width) of each of ``pieces``, which are alike, in one run."""
        tensors = {
            role: np.concatenate([piece[role] for piece in pieces]) if role in _PER_TILE else tensor
            for role, tensor in pieces[0].items()
        }
        features = self._runner.run(self._feeds(tensors))[self._output]
        width = features.shape[-1]
        if features.size // width % len(pieces):
            raise BadBundle(f"the vision encoder gives features of shape {features.shape} for {len(pieces)} tiles")
        return list(features.reshape(len(pieces), -1, width))

    def _feeds(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        missing = [spec.name for role, spec in self._inputs.items() if role not in tensors]
        if missing:
            raise BadBundle(f"the vision encoder takes {missing}, which this family of models does not make")
        return {spec.name: _fitted(tensors[role], spec) for role, spec in self._inputs.items()}


def _rows_of(spec: TensorSpec, tensor: Array) -> Dimension:
    """The size that ``spec`` has for the first dimension of ``tensor``: graphs have leading ones more, or fewer."""
    return spec.shape[-tensor.ndim] if 0 < tensor.ndim <= len(spec.shape) else 1


def _shared(piece: View) -> Hashable:
    """What pieces that go through together have in common: the shape of their tiles, and what is said of them all."""
    return tuple(
        (role, tensor.shape[1:] if role in _PER_TILE and role not in _SAME else (tensor.shape, tensor.tobytes()))
        for role, tensor in piece.items()
    )


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


def _likelihood(spec: TensorSpec) -> tuple[bool, int]:
    """Two dimensions may be one vector for each tile: unless the name says features, all others come first."""
    likelihood = _OUTPUTS.index(spec.name) if spec.name in _OUTPUTS else len(_OUTPUTS)
    return len(spec.shape) < 3 and likelihood > 0, likelihood


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
    if np.issubdtype(tensor.dtype, np.floating) and not np.issubdtype(spec.dtype, np.floating):
        raise BadBundle(
            f"the vision encoder takes '{spec.name}' as {spec.dtype}, and normalised pixels are {tensor.dtype}: "
            "export it without the steps of preprocessor_config.json"
        )
    return tensor.astype(spec.dtype, copy=False)
