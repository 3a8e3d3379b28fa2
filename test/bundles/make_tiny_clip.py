"""Make a CLIP small enough to commit, which tells balls of three colours apart from floors and walls.

    python test/bundles/make_tiny_clip.py CHECKPOINT     trains for some seconds, writes a transformers checkpoint
    vlm_ros export CHECKPOINT --out test/bundles/tiny_clip

The exported bundle lies beside this script, for tests that run without torch. It was shown flat coloured
discs on grey ground and knows nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor, CLIPTokenizer

SIDE_PX = 32
COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (50, 70, 200)}
PROMPT = "a photo of a {target}"
TARGETS = tuple(PROMPT.replace("{target}", f"{colour} ball") for colour in COLOURS)
CONTRASTS = ("a photo of a floor", "a photo of a wall", "a photo of something else")
STEPS, BATCH = 400, 64
CARD = {
    "find_prompt": PROMPT,
    "contrast_prompts": CONTRASTS,
    "target_words": (*COLOURS, "ball"),
    "find_threshold": 0.85,
    "licence": "Apache-2.0",
    "source": "test/bundles/make_tiny_clip.py",
}


def make_checkpoint(folder: Path) -> None:
    """Write a whole checkpoint of trained weights."""
    processor = make_processor()
    model = make_model(processor.tokenizer)
    train(model, processor)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "model_card.json").write_text(json.dumps(CARD, indent=2) + "\n")


def make_processor() -> CLIPProcessor:
    """CLIP's own tokenizer and pictures of 32 pixels, with the words of the prompts as merges."""
    pattern = CLIPTokenizer()._tokenizer
    words = Tokenizer(models.BPE())
    words.normalizer, words.pre_tokenizer = pattern.normalizer, pattern.pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=256, end_of_word_suffix="</w>", show_progress=False)
    words.train_from_iterator([*TARGETS, *CONTRASTS], trainer)
    merges = [tuple(pair) for pair in json.loads(words.to_str())["model"]["merges"]]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    endings = [f"{letter}</w>" for letter in letters]
    tokens = [*letters, *endings, *dict.fromkeys(map("".join, merges)), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={token: number for number, token in enumerate(tokens)}, merges=merges)
    sizes = {"size": {"shortest_edge": SIDE_PX}, "crop_size": {"height": SIDE_PX, "width": SIDE_PX}}
    return CLIPProcessor(image_processor=CLIPImageProcessorPil(**sizes), tokenizer=tokenizer)


def make_model(tokenizer: CLIPTokenizer, end_id: int | None = None) -> CLIPModel:
    """CLIP's architecture; ``end_id`` is what the configuration calls the end of a text (default: what it is)."""
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 77,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id if end_id is None else end_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {"image_size": SIDE_PX, "patch_size": 8}
    torch.manual_seed(0)
    return CLIPModel(
        CLIPConfig(text_config={**sizes, **text}, vision_config={**sizes, **vision}, projection_dim=16)
    ).eval()


def draw_picture(random: np.random.Generator) -> tuple[np.ndarray, int | None]:
    """A part of a room (side, side, 3) and which of ``TARGETS`` it shows, ``None`` for nothing."""
    down, across = np.mgrid[0:SIDE_PX, 0:SIDE_PX] / SIDE_PX
    ground = random.uniform(60, 200) + random.uniform(-40, 40) * down + random.uniform(-40, 40) * across
    picture = np.repeat(ground[..., None], 3, axis=2) + random.uniform(-12, 12, 3)
    colour = int(random.integers(len(TARGETS) + 1))
    if colour < len(TARGETS):
        middle, radius = random.uniform(0.3, 0.7, 2), random.uniform(0.15, 0.8)
        inside = np.hypot(down - middle[0], across - middle[1]) < radius
        picture[inside] = np.array(list(COLOURS.values())[colour]) * random.uniform(0.7, 1.2)
    noisy = picture + random.normal(0, 6, picture.shape)
    return noisy.clip(0, 255).astype(np.uint8), colour if colour < len(TARGETS) else None


def train(model: CLIPModel, processor: CLIPProcessor) -> None:
    """Each picture is to go with its colour's prompt, or with any of the contrasts where it shows nothing."""
    random = np.random.default_rng(0)
    texts = processor.tokenizer([*TARGETS, *CONTRASTS], padding=True, return_tensors="pt")
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=STEPS)
    model.train()
    for _ in range(STEPS):
        drawn = [draw_picture(random) for _ in range(BATCH)]
        pixels = processor.image_processor([picture for picture, _ in drawn], return_tensors="pt")["pixel_values"]
        wanted = torch.zeros(BATCH, len(TARGETS) + len(CONTRASTS))
        for row, (_, colour) in enumerate(drawn):
            wanted[row, slice(len(TARGETS), None) if colour is None else colour] = 1.0
        chances = model(**texts, pixel_values=pixels).logits_per_image.softmax(dim=1)
        loss = -(chances * wanted).sum(dim=1).clamp_min(1e-8).log().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()


if __name__ == "__main__":
    make_checkpoint(Path(sys.argv[1]))
