"""Make a LLaVA small enough to commit: the real architecture with random weights and a vocabulary of its own.

    python test/bundles/make_tiny_llava.py CHECKPOINT     writes a transformers checkpoint folder
    vlm_ros export CHECKPOINT --out test/bundles/tiny_llava

The exported bundle lies beside this script, for tests that run without torch. Its answers mean
nothing; only that they are always the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)

SIDE_PX = 32
PATCH_PX = 8
SPECIAL_TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "<image>")
SENTENCES = (
    "A red ball is near on the left. A blue box is far in the center.",
    "Is there a green cone in the image? no. yes. left, near. center, far. right, far.",
    "Is the path straight ahead free to drive? clear. blocked.",
    "Describe the scene in one or two short sentences. USER: ASSISTANT:",
)
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<image>' }}{% else %}{{ '\\n' + content['text'] + ' ' }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def make_checkpoint(folder: Path, seed: int = 0, text: PreTrainedConfig | None = None) -> None:
    """Write a whole checkpoint; ``text`` replaces the Llama of the same vocabulary, ``seed`` draws the weights."""
    processor = make_processor()
    text = text or LlamaConfig(**text_sizes(len(processor.tokenizer)))
    model = make_model(text, seed)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def text_sizes(vocabulary: int) -> dict[str, int]:
    """Sizes that every text model of the family understands, and the special tokens' numbers."""
    numbers = {f"{name}_token_id": number for number, name in enumerate(("pad", "bos", "eos"))}
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "max_position_embeddings": 256}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return {"vocab_size": vocabulary, **sizes, **heads, **numbers}


def make_processor() -> LlavaProcessor:
    """A processor whose byte-level tokenizer was trained on a few sentences."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=352,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", SPECIAL_TOKENS.index("<s>"))]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": SIDE_PX}, crop_size={"height": SIDE_PX, "width": SIDE_PX})
    return LlavaProcessor(
        image_processor=pictures,
        tokenizer=fast,
        patch_size=PATCH_PX,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )


def make_model(text: PreTrainedConfig, seed: int) -> LlavaForConditionalGeneration:
    """A LLaVA whose every layer matters: freshly drawn weights, none of them tiny."""
    vision = CLIPVisionConfig(
        image_size=SIDE_PX,
        patch_size=PATCH_PX,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=32,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=SPECIAL_TOKENS.index("<image>"),
        image_seq_length=(SIDE_PX // PATCH_PX) ** 2,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )
    model = LlavaForConditionalGeneration(config).eval()
    draw_weights(model, torch.Generator().manual_seed(seed))
    model.generation_config = GenerationConfig(
        pad_token_id=text.pad_token_id, bos_token_id=text.bos_token_id, eos_token_id=text.eos_token_id
    )
    return model


@torch.no_grad()
def draw_weights(model: torch.nn.Module, generator: torch.Generator) -> None:
    """Fill every parameter in place; default initial weights are so small that wrong graphs pass for right ones."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "embed" in name:
            parameter.copy_(noise)
        elif parameter.ndim > 1:
            parameter.copy_(noise * 1.5 / parameter[0].numel() ** 0.5)
        elif "bias" in name:
            parameter.copy_(noise * 0.1)
        else:
            parameter.copy_(1.0 + noise * 0.1)


if __name__ == "__main__":
    make_checkpoint(Path(sys.argv[1]))
