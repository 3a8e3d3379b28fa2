"""MiniCPM-V 2.6 once more, of transformers' own parts and torch's attention, since transformers has no class for it.

Written from how its authors describe it and others run it; it stands in for their code, which is never run here.
"""

from __future__ import annotations

import json
import math
import runpy
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.models.idefics2.configuration_idefics2 import Idefics2VisionConfig
from transformers.models.idefics2.modeling_idefics2 import Idefics2VisionTransformer

MAKE = runpy.run_path(str(Path(__file__).parents[1] / "bundles" / "make_tiny_pictures.py"))
UNKNOWN = "<unk>"


@dataclass(frozen=True)
class SliceProcessor:
    """The rule by which pictures are cut, one step after the other."""

    settings: dict[str, Any]

    @classmethod
    def from_pretrained(cls, folder: Path) -> SliceProcessor:
        """As transformers opens its own."""
        return cls(json.loads((folder / "preprocessor_config.json").read_text()))

    def grid(self, width: int, height: int) -> tuple[int, int] | None:
        """Columns and rows of the slices, or nothing for small pictures."""
        most, side = self.settings["max_slice_nums"], self.settings["scale_resolution"]
        wanted = min(math.ceil(width * height / (side * side)), most)
        if wanted <= 1:
            return None
        best, smallest = (1, 1), math.inf
        for count in (wanted - 1, wanted, wanted + 1):
            if count == 1 or count > most:
                continue
            for columns in range(1, count + 1):
                if count % columns:
                    continue
                rows = count // columns
                error = abs(math.log(width / height) - math.log(columns / rows))
                if error < smallest:
                    best, smallest = (columns, rows), error
        return best

    def fitted(self, width: float, height: float, upscale: bool) -> tuple[int, int]:
        """The size nearest to the area that one picture may have, in whole patches."""
        side, patch = self.settings["scale_resolution"], self.settings["patch_size"]
        if upscale or width * height > side * side:
            ratio = width / height
            height = int(side / math.sqrt(ratio))
            width = int(height * ratio)
        return self.whole(width, patch), self.whole(height, patch)

    @staticmethod
    def whole(length: float, unit: int) -> int:
        """``length`` in whole units."""
        return max(round(length / unit) * unit, unit)

    def pictures(self, image: Image.Image) -> tuple[list[Image.Image], tuple[int, int] | None]:
        """The overview and the slices, row by row."""
        grid = self.grid(*image.size)
        overview = image.resize(self.fitted(*image.size, upscale=grid is None), Image.Resampling.BICUBIC)
        if grid is None:
            return [overview], None
        columns, rows = grid
        width, height = self.whole(image.width, columns) / columns, self.whole(image.height, rows) / rows
        wide, high = self.fitted(width, height, upscale=True)
        refined = image.resize((wide * columns, high * rows), Image.Resampling.BICUBIC)
        places = [(column * wide, row * high) for row in range(rows) for column in range(columns)]
        return [overview, *(refined.crop((x, y, x + wide, y + high)) for x, y in places)], grid

    def pixels(self, image: Image.Image) -> torch.Tensor:
        """(3, height, width), normalised."""
        levels = np.asarray(image).astype(np.float32) / 255
        mean, deviation = (np.array(self.settings[name], np.float32) for name in ("norm_mean", "norm_std"))
        return torch.from_numpy((levels - mean) / deviation).permute(2, 0, 1)

    def text(self, grid: tuple[int, int] | None, features: int) -> str:
        """What stands for a picture in the prompt."""
        overview = f"<image_id>0</image_id><image>{UNKNOWN * features}</image>"
        columns, rows = grid or (0, 0)
        return overview + "\n".join([f"<slice>{UNKNOWN * features}</slice>" * columns] * rows)


def nearest(places: int, learnt: int) -> torch.Tensor:
    """The learnt position of each place along one side, by the buckets of the checkpoint's own code."""
    borders = torch.arange(1 / learnt, 1.0, 1 / learnt)
    return torch.bucketize(torch.arange(0, 1 - 1e-6, 1 / torch.tensor(places)), borders, right=True)


def place_table(rows: int, columns: int, width: int) -> torch.Tensor:
    """(rows * columns, width): what is added to the keys of a resampler, the column's half first."""
    speeds = 1.0 / 10000 ** (np.arange(width // 4, dtype=np.float32) / (width / 4.0))

    def waves(places: Any) -> Any:
        angles = np.einsum("rc,w->rcw", places, speeds)
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)

    column, row = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    return torch.from_numpy(np.concatenate([waves(column), waves(row)], axis=-1).reshape(rows * columns, width))


class ReferenceModel(torch.nn.Module):
    """The three parts of a checkpoint, and how a picture's features come to stand in the prompt."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        config = json.loads((folder / "config.json").read_text())
        known = {name: value for name, value in config.items() if name not in ("model_type", "auto_map")}
        vision = {name: value for name, value in config["vision_config"].items() if name != "model_type"}
        self.llm = Qwen2ForCausalLM(Qwen2Config(**known))
        self.vpm = Idefics2VisionTransformer(Idefics2VisionConfig(**vision))
        self.resampler = MAKE["make_resampler"](config["query_num"], config["hidden_size"], vision["hidden_size"])
        self.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
        self.float()
        added = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
        tokens = {token["content"]: token["id"] for token in added}
        self.llm.generation_config.eos_token_id = tokens["<|im_end|>"]
        self.config = SimpleNamespace(image_token_id=tokens[UNKNOWN], text_config=self.llm.config)

    @property
    def model(self) -> ReferenceModel:
        """What transformers' models keep below their head."""
        return self

    def get_image_features(self, pictures: list[torch.Tensor]) -> SimpleNamespace:
        """As transformers' models say it."""
        return SimpleNamespace(pooler_output=[self.features(pixels[None])[0] for pixels in pictures])

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """(pictures, queries, width) of pictures (pictures, 3, height, width) of one size."""
        embeddings = self.vpm.embeddings
        patches = embeddings.patch_embedding(pixels)
        rows, columns = patches.shape[2:]
        learnt = embeddings.num_patches_per_side
        positions = (nearest(rows, learnt)[:, None] * learnt + nearest(columns, learnt)).flatten()
        states = patches.flatten(2).transpose(1, 2) + embeddings.position_embedding(positions)
        states = self.vpm.encoder(inputs_embeds=states).last_hidden_state
        return self.resampled(self.vpm.post_layernorm(states), rows, columns)

    def resampled(self, states: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """What the queries find in ``states`` (pictures, patches, width)."""
        parts = self.resampler
        values = parts.ln_kv(parts.kv_proj(states)).transpose(0, 1)
        keys = values + place_table(rows, columns, values.shape[-1])[:, None]
        queries = parts.ln_q(parts.query)[:, None].repeat(1, states.shape[0], 1)
        found, _ = parts.attn(queries, keys, values)
        return parts.ln_post(found.transpose(0, 1)) @ parts.proj

    def embedded(self, input_ids: torch.Tensor, pictures: list[torch.Tensor] | None) -> torch.Tensor:
        """The embeddings of a prompt."""
        embeddings = self.llm.get_input_embeddings()(input_ids).clone()
        if pictures is not None:
            features = torch.cat(self.get_image_features(pictures).pooler_output)
            embeddings[input_ids == self.config.image_token_id] = features
        return embeddings

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, pictures: Any = None) -> Any:
        """The text model's answer to a prompt."""
        return self.llm(inputs_embeds=self.embedded(input_ids, pictures), attention_mask=attention_mask)

    @torch.inference_mode()
    def generate(self, input_ids: torch.Tensor, pictures: Any = None, **settings: Any) -> torch.Tensor:
        """Prompt and answer, as transformers' models give them."""
        if pictures is None:
            answer: torch.Tensor = self.llm.generate(input_ids, **settings)
            return answer
        new = self.llm.generate(inputs_embeds=self.embedded(input_ids, pictures), **settings)
        return torch.cat([input_ids, new], dim=1)
