"""A byte-level BPE for the demo model: few tokens for its own phrases, and bytes for everything else."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from vlm_ros.training.phrases import corpus

SPECIAL = ("<pad>", "<s>", "</s>", "<image>")
PAD_ID, BOS_ID, EOS_ID, IMAGE_ID = range(4)
LARGEST_VOCABULARY = 512


def make_tokenizer() -> Tokenizer:
    """Trained on the demo model's phrases; the same on every machine."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=LARGEST_VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [text.replace(SPECIAL[BOS_ID], "").replace(SPECIAL[IMAGE_ID], "") for text in corpus()]
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, chat_template: str) -> None:
    """The files that transformers and our own loader read."""
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SPECIAL[BOS_ID],
        eos_token=SPECIAL[EOS_ID],
        pad_token=SPECIAL[PAD_ID],
        extra_special_tokens={"image_token": SPECIAL[IMAGE_ID]},
        model_max_length=512,
        padding_side="left",
        chat_template=chat_template,
    )
    wrapped.save_pretrained(folder)
