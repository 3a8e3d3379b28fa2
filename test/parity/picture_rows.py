"""The families that read a picture among the words of a prompt: how a tiny checkpoint of each is made and asked.

A row is all that a new family adds here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision_stand_in import image_processor

Inputs = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Row:
    """``make`` is a function of test/bundles/make_tiny_pictures.py, ``kind`` what it makes.

    ``read`` gives what the reference's image processor makes of a picture, and what stands for it in the prompt.
    ``pixels`` are those of its tensors that are not filled up, and ``features`` what the text model reads of a picture.
    Where transformers has no class for the model, ``open`` opens what stands in for it and for its processor; where
    messages are texts, the picture's ``mark`` stands in front of the question.
    """

    make: str
    kind: str
    processor: str
    mark: str
    read: Callable[[Any, Any], tuple[Inputs, str]]
    counts_kinds: bool = False
    pixels: Callable[[Inputs], torch.Tensor] = lambda inputs: inputs["pixel_values"]
    features: Callable[[Any], torch.Tensor] = lambda found: torch.cat(list(found.pooler_output))
    open: Callable[[Path], tuple[Any, Any]] | None = None
    messages_are_texts: bool = False


def read_tiles(processor: Any, image: Any) -> tuple[Inputs, str]:
    """SmolVLM and Idefics3: rows of tiles, and the whole."""
    made = processor([[image]], return_row_col_info=True, return_tensors="pt")
    rows, columns = made["rows"][0][0], made["cols"][0][0]
    marks, around = "<image>" * 4, "<fake_token_around_image>"
    tiles = ("".join(f"{around}<row_{r + 1}_col_{c + 1}>{marks}" for c in range(columns)) + "\n" for r in range(rows))
    whole = f"{around}<global-img>{marks}{around}"
    picture = {name: made[name] for name in ("pixel_values", "pixel_attention_mask")}
    return picture, "".join(tiles) + "\n" + whole if rows else whole


def read_patches(processor: Any, image: Any) -> tuple[Inputs, str]:
    """Qwen2-VL and its descendants: a token for each block of patches."""
    made = processor(image, return_tensors="pt")
    return dict(made), "<|image_pad|>" * (int(made["image_grid_thw"].prod()) // 4)


def read_slices(processor: Any, image: Any) -> tuple[Inputs, str]:
    """MiniCPM-V: an overview and slices."""
    made = processor(image, return_tensors="pt")
    rows, columns = made["grids"][0]
    overview, *slices = ("<|image_pad|>" * (int(size.prod()) // 16) for size in made["target_sizes"])
    lines = ("".join(f"<slice>{slices[r * columns + c]}</slice>" for c in range(columns)) for r in range(rows))
    picture = {name: made[name] for name in ("pixel_values", "target_sizes")}
    return picture, f"<image_id>0</image_id><image>{overview}</image>" + "\n".join(lines)


def read_slices_of_any_size(processor: Any, image: Any) -> tuple[Inputs, str]:
    """MiniCPM-V 2.6: each slice is as many tokens."""
    pictures, grid = processor.pictures(image)
    return {"pictures": [processor.pixels(picture) for picture in pictures]}, processor.text(grid, features=8)


def open_minicpm_v2_6(checkpoint: Path) -> tuple[Any, Any]:
    """The model and the processor that the tests have of their own."""
    from minicpm_v2_6_reference import ReferenceModel, SliceProcessor

    return ReferenceModel(checkpoint).eval(), SliceProcessor.from_pretrained(checkpoint)


def read_resolutions(processor: Any, image: Any) -> tuple[Inputs, str]:
    """LLaVA-OneVision: the picture small, and large in tiles; how many tokens, only its processor knows."""
    from transformers import LlavaOnevisionProcessor

    made = processor(image, return_tensors="pt")
    counts = LlavaOnevisionProcessor.__new__(LlavaOnevisionProcessor)
    counts.image_processor, counts.num_image_tokens, counts.vision_aspect_ratio = processor, 16, "anyres_max_2"
    tokens = counts._get_number_of_features(image.height, image.width, 32, 32)
    return {name: made[name] for name in ("pixel_values", "image_sizes")}, "<image>" * tokens


def read_natively(processor: Any, image: Any) -> tuple[Inputs, str]:
    """LFM2-VL: the picture near its own size, or tiles and the whole; what stands for it, only its processor knows."""
    from transformers.models.lfm2_vl.processing_lfm2_vl import Lfm2VlProcessor

    made = processor([[image]], return_row_col_info=True, return_tensors="pt")
    texts = Lfm2VlProcessor.__new__(Lfm2VlProcessor)
    texts.image_processor, texts.image_token, texts.image_thumbnail_token = processor, "<image>", "<|img_thumbnail|>"
    texts.image_start_token, texts.image_end_token = "<|image_start|>", "<|image_end|>"
    picture = {name: made[name] for name in ("pixel_values", "pixel_attention_mask", "spatial_shapes")}
    return picture, texts.replace_image_token(made, 0, use_image_special_tokens=True)


def read_stretched(processor: Any, image: Any) -> tuple[Inputs, str]:
    """InternVL: tiles and the whole, since its processor asks for them whatever the image processor's file says."""
    from transformers.models.internvl.processing_internvl import InternVLProcessor

    made = processor(image, return_tensors="pt", **InternVLProcessor.images_kwargs)
    marks = "<IMG_CONTEXT>" * (4 * int(made["num_patches"][0]))
    return {"pixel_values": made["pixel_values"]}, f"<img>{marks}</img>"


def features_of_all_depths(found: Any) -> torch.Tensor:
    """Qwen3-VL: what is put in the prompt, and what is added behind the first layers of the text model."""
    return torch.cat([torch.cat(list(depth)) for depth in (found.pooler_output, *found.deepstack_features)], dim=-1)


ROWS = {
    "smolvlm": Row(
        "make_smolvlm",
        "smolvlm",
        "idefics3.image_processing_pil_idefics3.Idefics3ImageProcessorPil",
        "<image>",
        read_tiles,
    ),
    "idefics3": Row(
        "make_smolvlm",
        "idefics3",
        "idefics3.image_processing_pil_idefics3.Idefics3ImageProcessorPil",
        "<image>",
        read_tiles,
    ),
    "qwen2_vl": Row(
        "make_qwen2_vl",
        "qwen2_vl",
        "qwen2_vl.image_processing_pil_qwen2_vl.Qwen2VLImageProcessorPil",
        "<|image_pad|>",
        read_patches,
        counts_kinds=True,
    ),
    "qwen2_5_vl": Row(
        "make_qwen2_vl",
        "qwen2_5_vl",
        "qwen2_vl.image_processing_pil_qwen2_vl.Qwen2VLImageProcessorPil",
        "<|image_pad|>",
        read_patches,
        counts_kinds=True,
    ),
    "qwen3_5": Row(
        "make_qwen3_5",
        "qwen3_5_text",
        "qwen2_vl.image_processing_pil_qwen2_vl.Qwen2VLImageProcessorPil",
        "<|image_pad|>",
        read_patches,
        counts_kinds=True,
    ),
    "qwen3_vl": Row(
        "make_qwen3_vl",
        "qwen3_vl",
        "qwen2_vl.image_processing_pil_qwen2_vl.Qwen2VLImageProcessorPil",
        "<|image_pad|>",
        read_patches,
        counts_kinds=True,
        features=features_of_all_depths,
    ),
    "lfm2_vl": Row(
        "make_lfm2_vl",
        "lfm2",
        "lfm2_vl.image_processing_lfm2_vl.Lfm2VlImageProcessor",
        "<image>",
        read_natively,
        pixels=lambda inputs: inputs["pixel_values"][inputs["pixel_attention_mask"].bool()],
    ),
    "llava_onevision": Row(
        "make_llava_onevision",
        "qwen2",
        "llava_onevision.image_processing_pil_llava_onevision.LlavaOnevisionImageProcessorPil",
        "<image>",
        read_resolutions,
    ),
    "internvl": Row(
        "make_internvl",
        "qwen2",
        "got_ocr2.image_processing_pil_got_ocr2.GotOcr2ImageProcessorPil",
        "<IMG_CONTEXT>",
        read_stretched,
    ),
    "internvl3_5": Row(
        "make_internvl",
        "qwen3",
        "got_ocr2.image_processing_pil_got_ocr2.GotOcr2ImageProcessorPil",
        "<IMG_CONTEXT>",
        read_stretched,
    ),
    "minicpm_v": Row(
        "make_minicpm_v",
        "qwen2",
        "minicpmv4_6.image_processing_pil_minicpmv4_6.MiniCPMV4_6ImageProcessorPil",
        "<|image_pad|>",
        read_slices,
    ),
    "minicpm_v2_6": Row(
        "make_minicpm_v2_6",
        "qwen2",
        "",
        "<unk>",
        read_slices_of_any_size,
        pixels=lambda inputs: torch.cat([pixels.flatten() for pixels in inputs["pictures"]]),
        open=open_minicpm_v2_6,
        messages_are_texts=True,
    ),
    "minicpm_v_hybrid": Row(
        "make_minicpm_v",
        "qwen3_5_text",
        "minicpmv4_6.image_processing_pil_minicpmv4_6.MiniCPMV4_6ImageProcessorPil",
        "<|image_pad|>",
        read_slices,
    ),
}


@dataclass(frozen=True)
class Reference:
    """A checkpoint as transformers runs it."""

    row: Row
    model: Any
    tokenizer: Any
    processor: Any

    def inputs(self, rgb: Any, question: str) -> Inputs:
        """Tokens and tensors of a picture and a question, as the checkpoint's own processors make them."""
        picture, text = self.row.read(self.processor, Image.fromarray(rgb))
        content: Any = [{"type": "image"}, {"type": "text", "text": question}]
        if self.row.messages_are_texts:
            content = f"{self.row.mark}\n{question}"
        prompt = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        ids = torch.tensor([self.tokenizer(prompt.replace(self.row.mark, text))["input_ids"]])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **picture}
        if self.row.counts_kinds:
            inputs["mm_token_type_ids"] = (ids == self.model.config.image_token_id).int()
        return inputs

    def answer(self, rgb: Any, question: str, tokens: int) -> str:
        """What transformers answers in at most so many tokens, without white space in front."""
        inputs = self.inputs(rgb, question)
        answer = self.model.generate(**inputs, max_new_tokens=tokens, do_sample=False)
        return self.tokenizer.decode(answer[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).lstrip()


def open_reference(row: Row, checkpoint: Path) -> Reference:
    """The checkpoint that ``row`` made."""
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    if row.open:
        model, processor = row.open(checkpoint)
        return Reference(row, model, tokenizer, processor)
    module, _, name = f"transformers.models.{row.processor}".rpartition(".")
    processor = image_processor(module, name)
    return Reference(
        row,
        AutoModelForImageTextToText.from_pretrained(checkpoint).eval(),
        tokenizer,
        processor.from_pretrained(checkpoint),
    )
