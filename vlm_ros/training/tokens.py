"""Texts as rows of token ids, so that a whole batch of questions is put together on the device."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from tokenizers import Tokenizer
from torch import Tensor

from vlm_ros.training.phrases import CONTENT_WORDS

NONE = -1
"""Fills a row behind its text."""


def token_rows(tokenizer: Tokenizer, texts: Iterable[str]) -> Tensor:
    """(texts, longest) token ids, ``NONE`` behind each text."""
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    rows = torch.full((len(ids), max(map(len, ids))), NONE, dtype=torch.int32)
    for row, one in zip(rows, ids, strict=True):
        row[: len(one)] = torch.tensor(one, dtype=torch.int32)
    return rows


def token_weights(tokenizer: Tokenizer, grammar: float) -> Tensor:
    """(vocabulary,) loss weights: 1 for tokens of the words that carry the meaning, ``grammar`` for the rest."""
    weights = torch.full((tokenizer.get_vocab_size(),), grammar)
    for word in CONTENT_WORDS:
        for text in (word, f" {word}"):
            weights[tokenizer.encode(text, add_special_tokens=False).ids] = 1.0
    return weights


def packed(rows: Tensor) -> Tensor:
    """``rows`` (..., length) with the ``NONE`` gaps moved behind the tokens, order kept."""
    order = torch.argsort((rows == NONE).to(torch.uint8), dim=-1, stable=True)
    return rows.gather(-1, order)
