"""SmolVLM and Idefics3: a vision tower over square tiles, a connector that gathers pixels, and a Llama."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from vlm_ros.export.checkpoint import load_checkpoint
from vlm_ros.export.greedy import check_picture_tokens
from vlm_ros.export.part import NamedTensors, Part, PicturePart, Sizes
from vlm_ros.export.text_decoder import TextDecoder, TokenEmbedding
from vlm_ros.runtime.runner import Runner

__all__ = ["check_answers", "load_checkpoint", "parts_of"]

_TILES = Sizes(batch=2, sequence=1, past=0)


def parts_of(model: Any) -> tuple[Part, ...]:
    """The three graphs of a bundle."""
    table = model.get_input_embeddings()
    return (
        VisionEncoder(model),
        TokenEmbedding(table),
        TextDecoder(model.model.text_model, model.lm_head, table.embedding_dim),
    )


def check_answers(model: Any, runners: Mapping[str, Runner]) -> None:
    """Compare greedy tokens about a picture of two tiles; ``ExportFailed`` where they differ."""
    pixels = VisionEncoder(model).draw(_TILES)["pixel_values"]
    features = runners["vision_encoder"].run({"pixel_values": pixels.numpy()})["image_features"]
    check_picture_tokens(model, runners, {"pixel_values": pixels[None]}, features.reshape(-1, features.shape[-1]))


class VisionEncoder(PicturePart):
    """``pixel_values`` (batch, 3, side, side), normalised tiles, to ``image_features`` (batch, tokens, width)."""

    name = "vision_encoder"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower = model.model.vision_model
        self.connector = model.model.connector
        self.side_px = model.config.vision_config.image_size
        self.positions = torch.nn.Parameter(_position_embeddings(self.tower.embeddings, self.side_px), False)

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        patches = self.tower.embeddings.patch_embedding(inputs["pixel_values"]).flatten(2).transpose(1, 2)
        states = self.tower.encoder(inputs_embeds=patches + self.positions).last_hidden_state
        return {"image_features": self.connector(self.tower.post_layernorm(states))}


def _position_embeddings(embeddings: Any, side_px: int) -> torch.Tensor:
    """What the checkpoint adds to the patches of a whole tile: the search for the nearest position is done once."""
    found: list[torch.Tensor] = []
    handle = embeddings.position_embedding.register_forward_hook(lambda _, inputs, output: found.append(output))
    patches = side_px // embeddings.patch_size
    with torch.no_grad():
        embeddings(torch.zeros(1, 3, side_px, side_px), torch.ones(1, patches, patches, dtype=torch.bool))
    handle.remove()
    return found[0].detach()
