"""MiniCPM-V's resampler: learnt queries look at the patches of a picture, which become as many features as these."""

from __future__ import annotations

import torch
from torch.nn import Identity, LayerNorm, Linear, MultiheadAttention, Parameter
from torch.nn.functional import linear, scaled_dot_product_attention

from vlm_ros.export.patch_rows import numbered

_HEAD_WIDTH = 128
_EPSILON = 1e-6
_SLOWEST = 1e4
"""The place's angles turn once in 2 pi patches, and more slowly from one to the next, down to so many times that."""


class Resampler(torch.nn.Module):
    """``states`` (batch, patches, ``seen_width``) to (batch, ``queries``, ``width``).

    Weights are called as in the checkpoints. The place of a patch is computed in the graph, for any number of
    ``columns``, where the checkpoint's own code keeps a table of them.
    """

    def __init__(self, queries: int, width: int, seen_width: int) -> None:
        super().__init__()
        self.query = Parameter(torch.zeros(queries, width))
        self.kv_proj = Linear(seen_width, width, bias=False) if seen_width != width else Identity()
        self.attn = MultiheadAttention(width, width // _HEAD_WIDTH)
        self.ln_q, self.ln_kv, self.ln_post = (LayerNorm(width, eps=_EPSILON) for _ in range(3))
        self.proj = Parameter(torch.zeros(width, width))

    def forward(self, states: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """The features of pictures whose patches stand in so many ``columns``, row by row."""
        values = self.ln_kv(self.kv_proj(states))
        seen = self._look(self.ln_q(self.query)[None], values + self._places(values, columns), values)
        features: torch.Tensor = self.ln_post(seen) @ self.proj
        return features

    def _look(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Attention of ``queries`` (1, queries, width), the same for each picture, to all of its patches."""
        weights = zip(self.attn.in_proj_weight.chunk(3), self.attn.in_proj_bias.chunk(3), strict=True)
        query, key, value = (
            linear(tensor, weight, bias).unflatten(-1, (-1, _HEAD_WIDTH)).transpose(1, 2)
            for tensor, (weight, bias) in zip((queries, keys, values), weights, strict=True)
        )
        seen = scaled_dot_product_attention(query.expand(len(key), -1, -1, -1), key, value)
        looked: torch.Tensor = self.attn.out_proj(seen.transpose(1, 2).flatten(2))
        return looked

    def _places(self, states: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """(patches, width): sines and cosines of each patch's column, then those of its row."""
        count = states.shape[-1] // 4
        speeds = 1 / _SLOWEST ** (torch.arange(count, dtype=torch.float32) / count)
        number = numbered(states)
        angles = torch.stack([number % columns, number // columns], dim=1).float()[..., None] * speeds
        return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(1)
