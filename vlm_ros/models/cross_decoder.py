"""Decoders that look at an encoder's tokens: these become keys and values once, for all tokens of all answers.

The graph ``cross_attention_kv`` takes ``encoder_hidden_states`` (batch, encoder_sequence, width) and gives
``cross_key_values.{layer}.key|value``, which ``decoder_model_merged`` takes beside its own cache. It may also take
``encoder_attention_mask`` (batch, encoder_sequence), which hides what fills the shorter of several questions up.
"""

from __future__ import annotations

from dataclasses import dataclass

from vlm_ros.core.errors import BadBundle
from vlm_ros.models.decoder import Decoder
from vlm_ros.models.rows import rows_taken
from vlm_ros.runtime.kv_cache import ENCODER_MASK, KvCache, KvLayout
from vlm_ros.runtime.runner import Array, Runner


@dataclass(frozen=True)
class Encoded:
    """What an encoder gave for pictures or questions: ``states`` (rows, encoder tokens, width).

    ``mask`` (rows, encoder tokens) is 0 for those that count for nothing.
    """

    states: Array
    mask: Array


class CrossDecoder(Decoder):
    """The graphs ``embed_tokens``, ``cross_attention_kv`` and ``decoder_model_merged`` of one model, all active."""

    def __init__(self, embed: Runner, cross: Runner, decoder: Runner, *, context_tokens: int) -> None:
        super().__init__(embed, decoder, context_tokens=context_tokens)
        self._cross = cross
        fixed = KvLayout.from_runner(decoder).fixed - {ENCODER_MASK}
        if not fixed or fixed != set(cross.outputs):
            raise BadBundle(
                f"the decoder takes {sorted(fixed)} of an encoder and cross_attention_kv gives "
                f"{sorted(cross.outputs)}: they are of two models, or of another layout"
            )

    @property
    def masks_encoded(self) -> bool:
        """Whether it can be told which of the encoder's tokens count."""
        return ENCODER_MASK in self._decoder.inputs

    def begin_with(self, encoded: Encoded) -> KvCache:
        """The cache before the first token of an answer about each row, on the device where there is one."""
        spec = self._cross.inputs["encoder_hidden_states"]
        feeds = {spec.name: encoded.states.astype(spec.dtype, copy=False)}
        fixed = dict(self._cross.run(feeds, keep=tuple(self._cross.outputs)))
        if self.masks_encoded:
            fixed[ENCODER_MASK] = encoded.mask.astype(self._decoder.inputs[ENCODER_MASK].dtype, copy=False)
        return self.begin_rows(len(encoded.states), fixed)

    def most_rows(self, wanted: int) -> int:
        """As ``Decoder.most_rows``, with what is kept of the encoder's tokens."""
        return rows_taken(self._cross.inputs.values(), super().most_rows(wanted))
