"""The two kinds of vocabulary that models come with: byte-level, and SentencePiece with bytes to fall back on."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import AddedToken, decoders, models, normalizers, processors
from tokenizers import Tokenizer as Library

from vlm_ros.core.bundle import Bundle
from vlm_ros.language.tokenizer import Tokenizer

TINY = Path(__file__).parents[2] / "bundles/tiny_llava"
PIECES = ["▁", "▁no", "no", "▁left", "left", ",", "▁near", "▁far", "near", "far", "▁a", "a", "b", "é", "?", "x"]
SPECIAL = ["<unk>", "<s>", "</s>", "<image>"]


@pytest.fixture(scope="session")
def tiny() -> Bundle:
    return Bundle(TINY)


@pytest.fixture(scope="session")
def byte_level(tiny: Bundle) -> Tokenizer:
    return Tokenizer.from_bundle(tiny)


@pytest.fixture(scope="session")
def sentence_piece() -> Tokenizer:
    """Built like Llama's: a space in front of every text, bytes for what has no piece."""
    texts = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *PIECES]
    vocabulary = {text: number for number, text in enumerate(texts)}
    library = Library(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    library.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    library.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    library.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    library.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return Tokenizer(library.to_str(), {"bos_token": "<s>", "eos_token": {"content": "</s>"}})


@pytest.fixture(params=["byte_level", "sentence_piece"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """Each of the two kinds in turn."""
    return request.getfixturevalue(request.param)
