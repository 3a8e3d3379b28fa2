"""Tokenizers whose words begin with a mark instead of a space, as T5's do, in words that llguidance reads."""

from __future__ import annotations

import json
from typing import Any


def with_spaces_written_out(tokenizer: str) -> str:
    """``tokenizer.json`` with a ``Metaspace`` decoder replaced by the steps that it stands for."""
    content: dict[str, Any] = json.loads(tokenizer)
    decoder = content.get("decoder") or {}
    if decoder.get("type") != "Metaspace":
        return tokenizer
    steps: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": decoder["replacement"]}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    content["decoder"] = {"type": "Sequence", "decoders": steps}
    return json.dumps(content)
