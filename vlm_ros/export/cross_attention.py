"""What a decoder keeps of an encoder's tokens: keys and values of each layer, computed once by a graph of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from vlm_ros.export.part import Axes, NamedTensors, Part, Sizes


def cross_names(layers: int) -> list[tuple[str, str]]:
    """Layer by layer the names of the keys and values, outputs of this graph and inputs of the decoder."""
    return [(f"cross_key_values.{layer}.key", f"cross_key_values.{layer}.value") for layer in range(layers)]


def encoder_mask(rows: int, tokens: int) -> torch.Tensor:
    """An example of which of an encoder's ``tokens`` count: row ``i`` ends ``i`` tokens early."""
    mask = torch.ones(rows, tokens, dtype=torch.int64)
    for row in range(1, rows):
        mask[row, -row:] = 0
    return mask


class CrossAttentionKv(Part):
    """``encoder_hidden_states`` (batch, encoder_sequence, width) to ``cross_key_values.{layer}.key|value``.

    ``projections`` are the layers' projections to keys and to values; each output is (batch, heads, encoder_sequence,
    head size).
    """

    name = "cross_attention_kv"

    def __init__(self, projections: Sequence[tuple[torch.nn.Linear, torch.nn.Linear]], heads: int) -> None:
        super().__init__()
        self.keys = torch.nn.ModuleList([key for key, _ in projections])
        self.values = torch.nn.ModuleList([value for _, value in projections])
        self.heads = heads
        self.width = projections[0][0].in_features

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {"encoder_hidden_states": {0: "batch", 1: "encoder_sequence"}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        return {"encoder_hidden_states": torch.randn(sizes.batch, sizes.sequence + 1, self.width)}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        states = inputs["encoder_hidden_states"]
        outputs = {}
        for names, *layer in zip(cross_names(len(self.keys)), self.keys, self.values, strict=True):
            for name, projection in zip(names, layer, strict=True):
                outputs[name] = projection(states).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return outputs
