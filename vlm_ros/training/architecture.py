"""The demo model: a real LLaVA, small enough to answer within one camera period on two CPU cores."""

from __future__ import annotations

import torch
from transformers import CLIPVisionConfig, GenerationConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from vlm_ros.training.tokenizer import BOS_ID, EOS_ID, IMAGE_ID, PAD_ID

IMAGE_PX = 144
PATCH_PX = 12
PATCHES = (IMAGE_PX // PATCH_PX) ** 2
WIDTH = 192

PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "do_convert_rgb": True,
    "do_resize": True,
    "size": {"height": IMAGE_PX, "width": IMAGE_PX},
    "resample": 3,
    "do_center_crop": False,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
"""The whole picture is squeezed into the square: a crop would hide what stands left and right."""


def make_model(vocabulary: int, seed: int = 0) -> LlavaForConditionalGeneration:
    """A fresh model for ``vocabulary`` tokens with random weights drawn from ``seed``, in float32."""
    torch.manual_seed(seed)
    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=6,
        num_attention_heads=3,
        image_size=IMAGE_PX,
        patch_size=PATCH_PX,
        projection_dim=WIDTH,
    )
    text = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=3,
        num_key_value_heads=3,
        max_position_embeddings=512,
        bos_token_id=BOS_ID,
        eos_token_id=EOS_ID,
        pad_token_id=PAD_ID,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=IMAGE_ID,
        image_seq_length=PATCHES,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        bos_token_id=BOS_ID,
        eos_token_id=EOS_ID,
        pad_token_id=PAD_ID,
        tie_word_embeddings=False,
    )
    model = LlavaForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        bos_token_id=BOS_ID, eos_token_id=EOS_ID, pad_token_id=PAD_ID, max_new_tokens=64, do_sample=False
    )
    return model
