"""Decoders that look at an encoder's tokens: these become keys and values once, for all tokens of all answers.

The graph ``cross_attention_kv`` takes ``encoder_hidden_states`` (batch, encoder_sequence, width) and gives
``cross_key_values.{layer}.key|value``, which ``decoder_model_merged`` takes beside its own cache.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BadBundle
from vlm_ros.models.decoder import Decoder
from vlm_ros.runtime.kv_cache import KvCache, KvLayout
from vlm_ros.runtime.runner import Runner

Encoded = NDArray[np.generic]
"""What an encoder gave for one picture or question, of shape (1, encoder tokens, width)."""


class CrossDecoder(Decoder):
    """The graphs ``embed_tokens``, ``cross_attention_kv`` and ``decoder_model_merged`` of one model, all active."""

    def __init__(self, embed: Runner, cross: Runner, decoder: Runner, *, context_tokens: int) -> None:
        super().__init__(embed, decoder, context_tokens=context_tokens)
        self._cross = cross
        fixed = KvLayout.from_runner(decoder).fixed
        if not fixed or fixed != set(cross.outputs):
            raise BadBundle(
                f"the decoder takes {sorted(fixed)} of an encoder and cross_attention_kv gives "
                f"{sorted(cross.outputs)}: they are of two models, or of another layout"
            )

    def begin_with(self, encoded: Encoded) -> KvCache:
        """The cache before the first token of an answer about ``encoded``, on the device where there is one."""
        spec = self._cross.inputs["encoder_hidden_states"]
        feeds = {spec.name: encoded.astype(spec.dtype, copy=False)}
        return self.begin(self._cross.run(feeds, keep=tuple(self._cross.outputs)))
