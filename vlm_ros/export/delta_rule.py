"""The gated delta rule, a recurrence over tokens, in chunks: products of matrices, and one step for each chunk.

For every token a state S (key width, value width) fades, forgets what it held for the token's key, and takes in its
value: S <- e^g S, then S <- S + b k (v - k^T S)^T; the token gets q^T S (Yang et al., "Gated Delta Networks", 2024,
https://arxiv.org/abs/2412.06464). Token by token that reads and writes all of S for each; in a chunk of up to 64
tokens it is a handful of products. What tokens of one chunk do to each other is the solution of a triangular system.
"""

from __future__ import annotations

import torch
from torch._higher_order_ops.scan import scan  # the name that the exporter makes an ONNX Scan of

CHUNK_TOKENS = 64
_EPSILON = 1e-6
"""Below the root when queries and keys are brought to length one, as in the reference."""


class GatedDeltaRule(torch.nn.Module):
    """From queries, keys, values, fading and strength of each token, and a state, to results and the next state.

    As transformers' ``torch_chunk_gated_delta_rule``, whose loop over chunks would be frozen at the length of the
    example. Here it is a Scan, which any number of tokens goes through, one as well: then a chunk has one token.
    Everything is a standard operator that TensorRT's parser lists (MatMul, CumSum, Exp, Slice, Pad, Scan); there is
    no triangular solver among them, so the inverse is put together of halves, see ``_inverse``.
    """

    def __init__(self) -> None:
        super().__init__()
        places = torch.arange(CHUNK_TOKENS)
        row, column = places[:, None], places[None]
        sizes = [2**level for level in range(CHUNK_TOKENS.bit_length() - 1)]
        halves = [(row // (2 * size) == column // (2 * size)) & (row // size > column // size) for size in sizes]
        self.register_buffer("halves", torch.stack(halves).float(), persistent=False)
        self.register_buffer("not_later", row >= column, persistent=False)
        self.register_buffer("unit", torch.eye(CHUNK_TOKENS), persistent=False)

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        decay: torch.Tensor,
        beta: torch.Tensor,
        state: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Results (batch, tokens, heads, value width) and the state after them.

        ``query`` and ``key`` (batch, tokens, heads, key width), ``value`` like the results, ``decay`` (the
        logarithm g) and ``beta`` (batch, tokens, heads), ``state`` (batch, heads, key width, value width).
        """
        batch, tokens, heads, width = value.shape
        chunk = torch.sym_min(tokens, CHUNK_TOKENS)
        chunks = (tokens + chunk - 1) // chunk
        query = _of_length_one(query) * query.shape[-1] ** -0.5
        # What fills the last chunk up neither fades nor writes: its g and b are zeros.
        query, key, value, decay, beta = (
            _in_chunks(tensor, chunk, chunks)
            for tensor in (query, _of_length_one(key), value, decay[..., None], beta[..., None])
        )
        faded = decay.cumsum(dim=3)
        between = self._fading_between(faded, chunk)
        strong = key * beta
        solved = self._inverse((strong @ key.transpose(3, 4)) * between, chunk)
        last = faded[:, :, :, -1:]
        steps = [
            solved @ (value * beta),
            solved @ (strong * faded.exp()),
            (query @ key.transpose(3, 4)) * between,
            query * faded.exp(),
            (key * (last - faded).exp()).transpose(3, 4),
            last.exp(),
        ]
        state, results = scan(_next_chunk, state, steps)
        return results.permute(1, 0, 3, 2, 4).reshape(batch, chunks * chunk, heads, width)[:, :tokens], state

    def _fading_between(self, faded: torch.Tensor, chunk: int) -> torch.Tensor:
        """How much of what one token wrote (column) is left for another (row), nothing for earlier ones."""
        differences = faded - faded.transpose(3, 4)
        return torch.where(self.not_later[:chunk, :chunk], differences, -torch.inf).exp()

    def _inverse(self, lower: torch.Tensor, chunk: int) -> torch.Tensor:
        """The inverse of the unit matrix plus what is below the diagonal of ``lower``.

        Of [[A, 0], [B, D]] it is [[A', 0], [-D'BA', D']]: from the inverses of two halves that of both takes two
        products, for all pairs of halves at once, and six rounds lead from single tokens to 64. Unlike the product
        (1 - L)(1 + LL)(1 + LLLL)..., no power of the matrix grows on the way where many keys are alike.
        """
        inverse = self.unit[:chunk, :chunk] - lower * self.halves[0, :chunk, :chunk]
        for half in self.halves[1:, :chunk, :chunk].unbind(0):
            inverse = inverse - inverse @ (lower * half) @ inverse
        return inverse


def _next_chunk(state: torch.Tensor, step: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """The state after one more chunk, and what its tokens get: from the state before, and from each other."""
    values, keys, among, query, key, fading = step
    written = values - keys @ state
    return state * fading + key @ written, query @ state + among @ written


def _in_chunks(tensor: torch.Tensor, chunk: int, chunks: int) -> torch.Tensor:
    """(batch, tokens, heads, width) as (chunks, batch, heads, chunk, width), with zeros behind the last token."""
    batch, tokens, heads, width = tensor.shape
    whole = torch.nn.functional.pad(tensor, (0, 0, 0, 0, 0, chunks * chunk - tokens))
    return whole.reshape(batch, chunks, chunk, heads, width).permute(1, 0, 3, 2, 4)


def _of_length_one(tensor: torch.Tensor) -> torch.Tensor:
    return tensor * torch.rsqrt((tensor * tensor).sum(dim=-1, keepdim=True) + _EPSILON)
