"""The two graphs of a CLIP, as we export them and as others do: one vector for each picture, one for each text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vlm_ros.core.errors import BadBundle
from vlm_ros.core.frame import RgbImage
from vlm_ros.language.text_batch import TextBatcher
from vlm_ros.language.tokenizer import Tokenizer
from vlm_ros.models.matching import Floats, in_batches, unit_vectors
from vlm_ros.runtime.runner import Runner, TensorSpec
from vlm_ros.vision.preprocessing import Preprocessor


class PictureEncoder:
    """Vectors of length one for pictures, shape (pictures, width)."""

    def __init__(self, runner: Runner, preprocess: Preprocessor) -> None:
        self._runner = runner
        self._preprocess = preprocess
        self._pixels = _input(runner, "pixel_values")
        self._output = _embeds_output(runner, "image_embeds")
        self.width = runner.outputs[self._output].shape[-1]

    def __call__(self, pictures: Sequence[RgbImage]) -> Floats:
        """Some at a time, as many as the graph takes."""
        return in_batches(self._encode, pictures, self._pixels.shape[0])

    def _encode(self, pictures: Sequence[RgbImage]) -> Floats:
        pixels = np.concatenate([self._preprocess(rgb) for rgb in pictures])
        feeds = {self._pixels.name: pixels.astype(self._pixels.dtype, copy=False)}
        return unit_vectors(self._runner.run(feeds)[self._output])


class TextEncoder:
    """Vectors of length one for texts of at most ``limit`` tokens, shape (texts, width)."""

    def __init__(self, runner: Runner, tokenizer: Tokenizer, limit: int) -> None:
        self._runner = runner
        self._ids = _input(runner, "input_ids")
        length = self._ids.shape[1]
        self._fixed_length = length if isinstance(length, int) else 0
        self._tokens = TextBatcher(tokenizer, min(limit, self._fixed_length or limit))
        self._output = _embeds_output(runner, "text_embeds")
        self.width = runner.outputs[self._output].shape[-1]

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Some at a time, as many as the graph takes; ``BadQuestion`` as in ``TextBatcher``."""
        return in_batches(self._encode, texts, self._ids.shape[0])

    def _encode(self, texts: Sequence[str]) -> Floats:
        """Graphs differ in what they take beside the tokens: CLIP needs no mask, BERT has token types."""
        batch = self._tokens(texts, self._fixed_length)
        known = {
            "input_ids": batch.input_ids,
            "attention_mask": batch.attention_mask,
            "token_type_ids": np.zeros_like(batch.input_ids),
        }
        feeds = {name: known[name].astype(spec.dtype) for name, spec in self._runner.inputs.items() if name in known}
        return unit_vectors(self._runner.run(feeds)[self._output])


def check_widths(pictures: PictureEncoder, texts: TextEncoder) -> None:
    """``BadBundle`` where the two cannot be compared."""
    if isinstance(pictures.width, int) and isinstance(texts.width, int) and pictures.width != texts.width:
        raise BadBundle(
            f"vectors of pictures have {pictures.width} numbers and those of texts {texts.width}: "
            "export both encoders of one model, with their projections"
        )


def _input(runner: Runner, name: str) -> TensorSpec:
    if name not in runner.inputs:
        raise BadBundle(f"the graph takes {sorted(runner.inputs)} and not '{name}': export it again")
    return runner.inputs[name]


def _embeds_output(runner: Runner, name: str) -> str:
    """The output of one vector for each input: others may call it otherwise, where there is but one of that shape."""
    flat = [output for output, spec in runner.outputs.items() if len(spec.shape) == 2]
    if name in runner.outputs:
        return name
    if len(flat) != 1:
        raise BadBundle(f"the graph gives {sorted(runner.outputs)} and not '{name}': export it with its projection")
    return flat[0]
