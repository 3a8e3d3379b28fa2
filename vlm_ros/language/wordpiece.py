"""BERT's tokenizer from ``vocab.txt``, for bundles that bring no ``tokenizer.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlm_ros.core.errors import require

tokenizers = require("tokenizers", "pip install tokenizers")

FILE = "vocab.txt"
SPECIAL = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}


def tokenizer_json_from_vocab(path: Path, config: Mapping[str, Any]) -> str:
    """The content of the ``tokenizer.json`` that BERT's fast tokenizer has for the words in ``path``.

    ``config`` is the object in ``tokenizer_config.json``, whose names are those of transformers' BertTokenizer.
    """
    words = path.read_text(encoding="utf-8").splitlines()
    tokenizer = tokenizers.BertWordPieceTokenizer(
        vocab={word: number for number, word in enumerate(words)},
        clean_text=True,
        handle_chinese_chars=bool(config.get("tokenize_chinese_chars", True)),
        strip_accents=config.get("strip_accents"),
        lowercase=bool(config.get("do_lower_case", True)),
        **{name: str(config.get(name) or text) for name, text in SPECIAL.items()},
    )
    return str(tokenizer.to_str())
