"""The benchmark's own checkpoint: a real LLaVA with random weights, which never ends an answer by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.utils.logging import disable_progress_bar

from vlm_ros.benchmark.sizes import PATCH_PX, SIDE_PX, Sizes
from vlm_ros.core.card import ModelCard

SPECIAL_TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "<image>")
CARD = ModelCard(
    describe_prompt="What is there?",
    find_prompt="A {target} here?",
    path_prompt="Is the way ok?",
    source="random weights",
)
"""Every letter is a token: with the template's 18 and the picture's 196, each question takes about 228."""

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<image>' }}{% else %}{{ '\\n' + content['text'] + ' ' }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def make_checkpoint(folder: Path, sizes: Sizes) -> None:
    """Write everything that transformers saves with a model, and our card."""
    disable_progress_bar()
    processor = make_processor(sizes)
    processor.save_pretrained(folder)
    make_model(sizes).save_pretrained(folder)
    (folder / "model_card.json").write_text(json.dumps(CARD.to_json(), indent=2) + "\n", encoding="utf-8")


def make_processor(sizes: Sizes) -> LlavaProcessor:
    """Pixels as CLIP wants them, and a tokenizer with a token for each byte and made-up words for the rest."""
    known = [*SPECIAL_TOKENS, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    words = [f"w{number}" for number in range(sizes.vocabulary - len(known))]
    vocabulary = {token: number for number, token in enumerate([*known, *words])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": SIDE_PX}, crop_size={"height": SIDE_PX, "width": SIDE_PX}
        ),
        tokenizer=fast,
        patch_size=PATCH_PX,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )


def make_model(sizes: Sizes) -> LlavaForConditionalGeneration:
    """The model; the same weights on every machine."""
    shape = {
        "hidden_size": sizes.width,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
    }
    numbers = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            image_size=SIDE_PX, patch_size=PATCH_PX, intermediate_size=4 * sizes.width, **shape
        ),
        text_config=LlamaConfig(
            vocab_size=sizes.vocabulary,
            intermediate_size=sizes.text_inner,
            max_position_embeddings=2048,
            **shape,
            **numbers,
        ),
        image_token_index=SPECIAL_TOKENS.index("<image>"),
        image_seq_length=sizes.image_tokens,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )
    model: Any = LlavaForConditionalGeneration(config).eval()
    _draw_weights(model)
    model.generation_config = GenerationConfig(**numbers)
    return model


@torch.no_grad()
def _draw_weights(model: Any) -> None:
    """Scaled so that every layer counts; the logit of every special token is 0, and so never the highest."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            scale = 1.0 if "embed_tokens" in name else parameter[0].numel() ** -0.5
            parameter.normal_(0.0, scale, generator=generator)
    model.lm_head.weight[: len(SPECIAL_TOKENS)] = 0.0
