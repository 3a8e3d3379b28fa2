"""Whether a tokenizer and the graphs are of the same model."""

from __future__ import annotations

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, BuildFailed
from vlm_ros.models.decoder import Decoder


def check_vocabulary(bundle: Bundle, tokens: int, embeddings: int | None) -> None:
    """``BadBundle`` where the tokenizer has ``tokens``, more than the model; ``None`` where nobody knows its own."""
    if embeddings is not None and embeddings < tokens:
        raise BadBundle(
            f"in '{bundle.folder}' the tokenizer has {tokens} tokens and the model {embeddings}: they are of two models"
        )


def check_decoder_vocabulary(bundle: Bundle, tokens: int, decoder: Decoder, image_id: int | None = None) -> None:
    """As ``check_vocabulary``, of the logits that ``decoder`` gives and of its embedding table, which is tried.

    Not with ``image_id``: some tables put a picture in its place.
    """
    check_vocabulary(bundle, tokens, decoder.vocabulary_size)
    try:
        decoder.embed([tokens - 2 if tokens - 1 == image_id else tokens - 1])
    except BuildFailed as error:
        raise BadBundle(
            f"in '{bundle.folder}' the tokenizer has {tokens} tokens and embed_tokens does not know the last of them "
            f"({error}): they are of two models"
        ) from error
    _check_answers(bundle, decoder, image_id)


def _check_answers(bundle: Bundle, decoder: Decoder, image_id: int | None) -> None:
    """``BadBundle`` where there are logits of a token without an embedding: answers may hold any."""
    if decoder.vocabulary_size is None or decoder.vocabulary_size - 1 == image_id:
        return
    try:
        decoder.embed([decoder.vocabulary_size - 1])
    except BuildFailed as error:
        raise BadBundle(
            f"in '{bundle.folder}' the decoder gives logits of {decoder.vocabulary_size} tokens and embed_tokens does "
            f"not know the last of them ({error}): they are of two models"
        ) from error
