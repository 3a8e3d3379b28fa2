"""Make checkpoints of the families beside LLaVA small enough for tests: real architectures, random weights."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import GenerationConfig

_LLAVA = runpy.run_path(str(Path(__file__).with_name("make_tiny_llava.py")))
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize }}:"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}</s>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)

MESSAGES_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}{{ 'Be helpful.</s>' }}{% endif %}"
    "{{ message['role'] + '\n' + message['content'] + '</s>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant\n' }}{% endif %}"
)
"""Where messages are texts, as Qwen2's and MiniCPM-V 2.6's templates have them."""

_MORE_SIZES: dict[str, dict[str, Any]] = {
    "qwen3_5_text": {
        "layer_types": ["linear_attention", "full_attention"],
        "head_dim": 16,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 4,
    },
    "qwen3": {"head_dim": 16},
    "internvl_vision": {"use_qk_norm": True, "norm_type": "rms_norm", "use_mean_pooling": False},
}
"""What models have beside the sizes that all have."""


def make_smolvlm(folder: Path, kind: str = "smolvlm", seed: int = 0) -> None:
    """SmolVLM or Idefics3: tiles of 32 pixels, each of four tokens."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3Processor,
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
    )
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    tokenizer = make_tokenizer("<fake_token_around_image>", "<global-img>", "<row_1_col_1>", "<row_1_col_2>")
    pictures = Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=CHAT_TEMPLATE).save_pretrained(folder)
    vision = {"image_size": 32, "patch_size": 8, "hidden_size": 32, "intermediate_size": 64}
    vision |= {"num_hidden_layers": 2, "num_attention_heads": 2}
    text = {"model_type": "llama", **_LLAVA["text_sizes"](len(tokenizer))}
    config_class = SmolVLMConfig if kind == "smolvlm" else Idefics3Config
    config = config_class(
        vision_config=vision,
        text_config=text,
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    save(
        folder, SmolVLMForConditionalGeneration if kind == "smolvlm" else Idefics3ForConditionalGeneration, config, seed
    )


def make_qwen2_vl(folder: Path, kind: str = "qwen2_vl", seed: int = 0) -> None:
    """Qwen2-VL or Qwen2.5-VL: patches of 8 pixels, blocks of 16; the latter with windows of two blocks."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2VLConfig,
        Qwen2VLForConditionalGeneration,
    )

    tokenizer, numbers = _save_qwen_processors(folder)
    text = _LLAVA["text_sizes"](len(tokenizer)) | {"hidden_size": 64}
    text["rope_scaling"] = text["rope_parameters"] = {"rope_type": "default", "mrope_section": [2, 3, 3]}
    vision: dict[str, Any] = {"depth": 3, "num_heads": 2, "patch_size": 8, "spatial_merge_size": 2}
    if kind == "qwen2_vl":
        vision |= {"embed_dim": 32, "hidden_size": 64, "mlp_ratio": 2}
        config, architecture = Qwen2VLConfig, Qwen2VLForConditionalGeneration
    else:
        vision |= {"hidden_size": 32, "out_hidden_size": 64, "intermediate_size": 64}
        vision |= {"window_size": 32, "fullatt_block_indexes": [1]}
        config, architecture = Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
    save(folder, architecture, config(text_config=text, vision_config=vision, **numbers), seed)


def make_qwen3_5(folder: Path, kind: str = "qwen3_5_text", seed: int = 0) -> None:
    """Qwen3.5 with a text model of ``kind``: patches of 8 pixels, blocks of 16; heads of values share no keys."""
    from transformers import Qwen3_5Config, Qwen3_5ForConditionalGeneration

    tokenizer, numbers = _save_qwen_processors(folder)
    text = {**_LLAVA["text_sizes"](len(tokenizer)), **_MORE_SIZES[kind], "hidden_size": 64, "linear_num_key_heads": 4}
    text["rope_parameters"] = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
    vision = {"depth": 2, "num_heads": 2, "patch_size": 8, "spatial_merge_size": 2, "num_position_embeddings": 25}
    vision |= {"hidden_size": 32, "out_hidden_size": 64, "intermediate_size": 64}
    config = Qwen3_5Config(text_config=text, vision_config=vision, **numbers)
    save(folder, Qwen3_5ForConditionalGeneration, config, seed)


def make_qwen3_vl(folder: Path, kind: str = "qwen3_vl", seed: int = 0) -> None:
    """Qwen3-VL: patches of 8 pixels, blocks of 16, and features of two depths more than the last."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    tokenizer, numbers = _save_qwen_processors(folder)
    text = _LLAVA["text_sizes"](len(tokenizer)) | {"hidden_size": 64, "head_dim": 16, "num_hidden_layers": 3}
    text["rope_parameters"] = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
    vision = {"depth": 3, "num_heads": 2, "patch_size": 8, "spatial_merge_size": 2, "num_position_embeddings": 25}
    vision |= {"hidden_size": 32, "out_hidden_size": 64, "intermediate_size": 64, "deepstack_visual_indexes": [0, 1]}
    config = Qwen3VLConfig(text_config=text, vision_config=vision, **numbers)
    save(folder, Qwen3VLForConditionalGeneration, config, seed)


def _save_qwen_processors(folder: Path) -> tuple[Any, dict[str, int]]:
    """The tokenizer, which lies in ``folder`` then as the image processor does, and the numbers of special tokens."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = make_tokenizer("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    tokenizer.chat_template = CHAT_TEMPLATE.replace("<image>", "<|vision_start|><|image_pad|><|vision_end|>")
    tokenizer.save_pretrained(folder)
    pictures = Qwen2VLImageProcessorPil(patch_size=8, size={"shortest_edge": 32 * 32, "longest_edge": 64 * 64})
    pictures.save_pretrained(folder)
    words = {"image": "image_pad", "video": "video_pad", "vision_start": "vision_start", "vision_end": "vision_end"}
    numbers = {f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{word}|>") for name, word in words.items()}
    return tokenizer, numbers


def make_minicpm_v(folder: Path, kind: str = "qwen2", seed: int = 0) -> None:
    """MiniCPM-V with a text model of ``kind``: slices of about 64 pixels, patches of 8.

    Its published text model is a ``qwen3_5_text``.
    """
    from transformers import AutoConfig, MiniCPMV4_6Config, MiniCPMV4_6ForConditionalGeneration
    from transformers.models.minicpmv4_6.image_processing_pil_minicpmv4_6 import MiniCPMV4_6ImageProcessorPil

    tokenizer = make_tokenizer("<|image_pad|>", "</image>", "<slice>", "</slice>", "<image_id>", "</image_id>")
    tokenizer.chat_template = CHAT_TEMPLATE.replace("<image>", "<|image_pad|>")
    tokenizer.save_pretrained(folder)
    MiniCPMV4_6ImageProcessorPil(scale_resolution=64, patch_size=8, max_slice_nums=4).save_pretrained(folder)
    vision = {"image_size": 80, "patch_size": 8, "hidden_size": 32, "intermediate_size": 64}
    vision |= {"num_hidden_layers": 2, "num_attention_heads": 2}
    config = MiniCPMV4_6Config(
        text_config=AutoConfig.for_model(kind, **_LLAVA["text_sizes"](len(tokenizer)), **_MORE_SIZES.get(kind, {})),
        vision_config=vision,
        insert_layer_id=0,
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
    )
    save(folder, MiniCPMV4_6ForConditionalGeneration, config, seed)


def make_minicpm_v2_6(folder: Path, kind: str = "qwen2", seed: int = 0) -> None:
    """MiniCPM-V 2.6 as the hub keeps it, with a text model of ``kind``: slices of about 64 pixels, patches of 8.

    Sizes are such that its resampler has two heads, which are 128 wide whatever the model. Names, files and the type of
    the numbers are the published checkpoint's.
    """
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.models.idefics2.configuration_idefics2 import Idefics2VisionConfig
    from transformers.models.idefics2.modeling_idefics2 import Idefics2VisionTransformer

    tokenizer = make_tokenizer("</image>", "<slice>", "</slice>", "<image_id>", "</image_id>", "<|im_end|>")
    tokenizer.chat_template = MESSAGES_TEMPLATE
    tokenizer.save_pretrained(folder)
    vision = {"image_size": 80, "patch_size": 8, "hidden_size": 32, "intermediate_size": 64}
    vision |= {"num_hidden_layers": 2, "num_attention_heads": 2}
    text = _LLAVA["text_sizes"](len(tokenizer)) | {"hidden_size": 256, "max_position_embeddings": 512}
    parts = torch.nn.Module()
    parts.llm = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **text))
    parts.vpm = Idefics2VisionTransformer(Idefics2VisionConfig(**vision))
    parts.resampler = make_resampler(8, text["hidden_size"], vision["hidden_size"])
    _LLAVA["draw_weights"](parts, torch.Generator().manual_seed(seed))
    save_file(parts.bfloat16().state_dict(), folder / "model.safetensors", {"format": "pt"})
    code = {name: f"modeling_minicpmv.{name}" for name in ("AutoConfig", "AutoModel")}
    names = {"model_type": "minicpmv", "architectures": ["MiniCPMV"], "version": 2.6, "auto_map": code}
    names |= {"tie_word_embeddings": False, "rope_theta": 1e6, "torch_dtype": "bfloat16", "sliding_window": 99}
    names |= {"use_sliding_window": False, "max_window_layers": 2, "transformers_version": "4.40.0"}
    slices = {"max_slice_nums": 4, "scale_resolution": 64, "patch_size": 8}
    sizes = {"query_num": 8, "drop_vision_last_layer": False, "batch_vision_input": True, "slice_mode": True}
    config = {**text, **names, **sizes, "vision_config": {**vision, "model_type": "siglip"}, "slice_config": slices}
    (folder / "config.json").write_text(json.dumps(config))
    processor = {"image_processor_type": "MiniCPMVImageProcessor", "version": 2.6, "use_image_id": True, **slices}
    processor |= {"slice_mode": True, "image_feature_size": 8, "unk": "<unk>", "im_start": "<image>", "auto_map": {}}
    levels = {"norm_mean": [0.5, 0.45, 0.4], "norm_std": [0.5, 0.3, 0.2]}
    (folder / "preprocessor_config.json").write_text(json.dumps({**processor, **levels}))


def make_resampler(queries: int, width: int, seen_width: int) -> torch.nn.Module:
    """The weights of a resampler, by the names of MiniCPM-V's checkpoints."""
    made = torch.nn.Module()
    made.query = torch.nn.Parameter(torch.zeros(queries, width))
    made.kv_proj = torch.nn.Linear(seen_width, width, bias=False)
    made.attn = torch.nn.MultiheadAttention(width, width // 128)
    for name in ("ln_q", "ln_kv", "ln_post"):
        made.add_module(name, torch.nn.LayerNorm(width, eps=1e-6))
    made.proj = torch.nn.Parameter(torch.zeros(width, width))
    return made


def make_lfm2_vl(folder: Path, kind: str = "lfm2", seed: int = 0) -> None:
    """LFM2-VL with a text model of ``kind``: patches of 8 pixels, tokens of 16, up to four tiles of 32."""
    from transformers import AutoConfig, Lfm2VlConfig, Lfm2VlForConditionalGeneration

    places = [f"<|img_row_{row}_col_{column}|>" for row in (1, 2) for column in (1, 2)]
    tokenizer = make_tokenizer("<|image_start|>", "<|image_end|>", "<|img_thumbnail|>", *places)
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    numbers = {"encoder_patch_size": 8, "tile_size": 32, "max_tiles": 4, "min_image_tokens": 4, "max_image_tokens": 12}
    levels = {"image_mean": [0.5, 0.45, 0.4], "image_std": [0.5, 0.3, 0.2], "resample": 2, "rescale_factor": 1 / 255}
    processor = {"image_processor_type": "Lfm2VlImageProcessor", **numbers, **levels}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    text = {**_LLAVA["text_sizes"](len(tokenizer)), "layer_types": ["conv", "full_attention", "conv"]}
    text |= {"num_hidden_layers": 3, "block_auto_adjust_ff_dim": False}
    vision = {"model_type": "siglip2_vision_model", "num_patches": 25, "patch_size": 8, "hidden_size": 32}
    vision |= {"intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "vision_use_head": False}
    config = Lfm2VlConfig(
        text_config=AutoConfig.for_model(kind, **text),
        vision_config=vision,
        projector_hidden_size=48,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    save(folder, Lfm2VlForConditionalGeneration, config, seed)


def make_llava_onevision(folder: Path, kind: str = "qwen2", seed: int = 0) -> None:
    """LLaVA-OneVision with a text model of ``kind``: up to four tiles of 32 pixels, features of two."""
    from transformers import (
        AutoConfig,
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        SiglipVisionConfig,
    )
    from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil

    tokenizer = make_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    resolutions = [[32, 32], [32, 64], [64, 32], [64, 64]]
    LlavaOnevisionImageProcessorPil(size={"height": 32, "width": 32}, image_grid_pinpoints=resolutions).save_pretrained(
        folder
    )
    vision = SiglipVisionConfig(
        image_size=32, patch_size=8, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2
    )
    config = LlavaOnevisionConfig(
        text_config=AutoConfig.for_model(kind, **_LLAVA["text_sizes"](len(tokenizer))),
        vision_config=vision,
        image_grid_pinpoints=resolutions,
        vision_aspect_ratio="anyres_max_2",
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=3,
    )
    save(folder, LlavaOnevisionForConditionalGeneration, config, seed)


def make_internvl(folder: Path, kind: str = "qwen2", seed: int = 0) -> None:
    """InternVL with a text model of ``kind``: up to six tiles of 32 pixels, each of four tokens."""
    from transformers import AutoConfig, InternVLConfig, InternVLForConditionalGeneration
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    tokenizer = make_tokenizer("<img>", "<IMG_CONTEXT>", "</img>")
    tokenizer.chat_template = CHAT_TEMPLATE.replace("<image>", "<IMG_CONTEXT>\\n")
    tokenizer.save_pretrained(folder)
    GotOcr2ImageProcessorPil(size={"height": 32, "width": 32}, max_patches=6).save_pretrained(folder)
    vision = {"image_size": [32, 32], "patch_size": [8, 8], "hidden_size": 32, "intermediate_size": 64}
    vision |= {"num_hidden_layers": 2, "num_attention_heads": 2, "attention_bias": True}
    vision |= _MORE_SIZES["internvl_vision"] if kind == "qwen3" else {}
    text = {**_LLAVA["text_sizes"](len(tokenizer)), **_MORE_SIZES.get(kind, {})}
    config = InternVLConfig(
        text_config=AutoConfig.for_model(kind, **text),
        vision_config=vision,
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        tie_word_embeddings=False,
    )
    save(folder, InternVLForConditionalGeneration, config, seed)


def make_tokenizer(*more: str) -> Any:
    """The tokenizer of the tiny LLaVA with ``more`` special tokens."""
    tokenizer = _LLAVA["make_processor"]().tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": list(more)})
    return tokenizer


def save(folder: Path, architecture: Callable[[Any], Any], config: Any, seed: int) -> None:
    """A model of ``config`` whose every layer matters, as a checkpoint."""
    model = architecture(config).eval()
    _LLAVA["draw_weights"](model, torch.Generator().manual_seed(seed))
    _remember(model)
    model.generation_config = GenerationConfig(pad_token_id=0, bos_token_id=1, eos_token_id=2)
    model.save_pretrained(folder)


@torch.no_grad()
def _remember(model: torch.nn.Module) -> None:
    """Let the states of linear attention fade over dozens of tokens, not within one, so that they matter."""
    for name, parameter in model.named_parameters():
        if name.endswith("A_log"):
            parameter.sub_(5.0)
