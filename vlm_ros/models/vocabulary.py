"""Whether a tokenizer and a graph are of the same model."""

from __future__ import annotations

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle


def check_vocabulary(bundle: Bundle, tokens: int, embeddings: int | None) -> None:
    """``BadBundle`` where the tokenizer has ``tokens``, more than the model; ``None`` where nobody knows its own."""
    if embeddings is not None and embeddings < tokens:
        raise BadBundle(
            f"in '{bundle.folder}' the tokenizer has {tokens} tokens and the model {embeddings}: they are of two models"
        )
