"""MiniCPM-V 2.6: SigLIP over slices of any shape, a resampler, and a Qwen2.

transformers has its parts but not the model, which the hub keeps as Python code beside the weights. That code is
never run: the model is put together here, its weights by the names that they have in the checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedConfig, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM
from transformers.models.idefics2.configuration_idefics2 import Idefics2VisionConfig
from transformers.models.idefics2.modeling_idefics2 import Idefics2VisionTransformer

from vlm_ros.core.bundle import CONFIG, Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.export.bundle_files import read_json
from vlm_ros.export.checkpoint import load_pretrained
from vlm_ros.export.greedy import CHECKED_TOKENS, compare_tokens, exported_tokens, random_prompt
from vlm_ros.export.part import NamedTensors, Part, Sizes
from vlm_ros.export.patch_rows import PatchRowsEncoder, through_layer
from vlm_ros.export.resampler import Resampler
from vlm_ros.export.text_decoder import TextDecoder, TokenEmbedding
from vlm_ros.language.tokenizer import Tokenizer
from vlm_ros.runtime.runner import Runner

_VERSION = "2.6"
_PICTURE_TOKEN = "<unk>"
"""What stands for a feature in the prompt, unless the tokenizer calls its unknown token otherwise."""

_ENDS = ("<|im_end|>", "<|endoftext|>")
"""What ends an answer, whatever the checkpoint's files say, since its own code says so."""

_OWN_SETTINGS = ("architectures", "auto_map", "model_type", "slice_config")
"""What is said of the whole; all else beside ``vision_config`` is of the text model."""

_FOLDED_PLACES = 128
"""A slice has about 32 rows and columns; only pictures of one to sixteen and longer have more in one direction."""

_ONE_PICTURE = Sizes(batch=1, sequence=1, past=0)


class MiniCpmVConfig(PreTrainedConfig):
    """``config.json``, where the text model's settings stand among those of the whole."""

    model_type = "minicpmv"

    def __init__(
        self,
        vision_config: Mapping[str, Any] | None = None,
        query_num: int = 64,
        drop_vision_last_layer: bool = True,
        **others: Any,
    ) -> None:
        vision = {name: value for name, value in (vision_config or {}).items() if name != "model_type"}
        text = {name: value for name, value in others.items() if name not in _OWN_SETTINGS}
        self.vision_config = Idefics2VisionConfig(**vision)
        self.vision_config.num_hidden_layers -= int(drop_vision_last_layer)
        self.text_config = Qwen2Config(**text)
        self.query_num = query_num
        super().__init__(eos_token_id=others.get("eos_token_id"))


class MiniCpmV(PreTrainedModel):
    """The parts of the model, called as in the checkpoint, so that no weight is renamed."""

    config_class = MiniCpmVConfig
    _supports_sdpa = True

    def __init__(self, config: MiniCpmVConfig) -> None:
        super().__init__(config)
        self.llm = Qwen2ForCausalLM(config.text_config)
        self.vpm = Idefics2VisionTransformer(config.vision_config)
        text, vision = config.text_config, config.vision_config
        self.resampler = Resampler(config.query_num, text.hidden_size, vision.hidden_size)
        self.post_init()

    def get_input_embeddings(self) -> torch.nn.Module:
        """The text model's."""
        table: torch.nn.Module = self.llm.get_input_embeddings()
        return table


def load_checkpoint(folder: Path) -> MiniCpmV:
    """The checkpoint ready for inference, as ``load_pretrained`` says; each of its weights has a place.

    ``BadBundle`` also for other versions, and where the tokenizer has nothing that stands for a picture.
    """
    version = read_json(folder / CONFIG).get("version", "of 2.5 or before")
    if str(version) != _VERSION:
        raise BadBundle(
            f"'{folder}' is a MiniCPM-V {version}, which transformers has no class for; of MiniCPM-V, the versions "
            f"{_VERSION} and 4.6 are exported: take one of them"
        )
    tokenizer = Tokenizer.from_bundle(Bundle(folder))
    image_id = tokenizer.number_of(tokenizer.special_texts.get("unk_token", _PICTURE_TOKEN))
    if image_id is None:
        raise BadBundle(f"the tokenizer of '{folder}' has no unk_token, which stands for pictures: copy it again")
    model: MiniCpmV = load_pretrained(MiniCpmV, folder, all_used=True)
    model.config.image_token_id = image_id
    ends = [number for number in map(tokenizer.number_of, _ENDS) if number is not None]
    model.config.eos_token_id = ends or model.config.eos_token_id
    return model


def file_facts(model: MiniCpmV) -> dict[str, dict[str, Any]]:
    """What the checkpoint's own code knows, and the files of a bundle must say."""
    ends = {"eos_token_id": model.config.eos_token_id}
    return {CONFIG: {"image_token_id": model.config.image_token_id, **ends}, "generation_config.json": ends}


def parts_of(model: MiniCpmV) -> tuple[Part, ...]:
    """The three graphs of a bundle."""
    table: Any = model.get_input_embeddings()
    decoder = TextDecoder(model.llm.model, model.llm.lm_head, table.embedding_dim)
    return VisionEncoder(model), TokenEmbedding(table), decoder


def check_answers(model: MiniCpmV, runners: Mapping[str, Runner]) -> None:
    """Compare greedy tokens about a picture; ``ExportFailed`` where they differ."""
    part = VisionEncoder(model)
    drawn = part.draw(_ONE_PICTURE)
    feeds = {name: tensor.numpy() for name, tensor in drawn.items()}
    features = runners["vision_encoder"].run(feeds)["image_features"]
    prompt = random_prompt(model, features.shape[1])
    exported = exported_tokens(runners, prompt.numpy(), features, model.config.image_token_id)
    compare_tokens(exported, _checkpoint_tokens(model, prompt, part(drawn)["image_features"]))


@torch.inference_mode()
def _checkpoint_tokens(model: MiniCpmV, prompt: torch.Tensor, features: torch.Tensor) -> list[int]:
    """What transformers' loop decodes of ``prompt`` (1, sequence). No token ends it, as in ``export.greedy``."""
    embeddings = model.get_input_embeddings()(prompt)
    embeddings[prompt == model.config.image_token_id] = features[0]
    llm: Any = model.llm
    llm.generation_config = GenerationConfig(max_new_tokens=CHECKED_TOKENS, do_sample=False)
    tokens: list[int] = llm.generate(inputs_embeds=embeddings, attention_mask=torch.ones_like(prompt))[0].tolist()
    return tokens


class VisionEncoder(PatchRowsEncoder):
    """The tower and the resampler: as many tokens for a picture as the latter has queries.

    Places that lie on a border between two learnt positions go to the one or the other by how the checkpoint's code
    rounds. So what it finds is folded into a table, for pictures of up to ``_FOLDED_PLACES`` rows and columns.
    """

    def __init__(self, model: MiniCpmV) -> None:
        super().__init__(model.vpm)
        self.resampler = model.resampler
        self.register_buffer("folded", self._folded())

    def nearest(self, place: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """From the table, and by integers for longer pictures."""
        number = places.clamp(max=_FOLDED_PLACES) * _FOLDED_PLACES + place.clamp(max=_FOLDED_PLACES - 1)
        known = self.folded.index_select(0, number)
        return torch.where(places <= _FOLDED_PLACES, known, place * self.positions_wide // places)

    def _folded(self) -> torch.Tensor:
        """For each number of places, a row with the position of each of them; all rows in one."""
        table = torch.zeros(_FOLDED_PLACES + 1, _FOLDED_PLACES, dtype=torch.int64)
        for places in range(1, _FOLDED_PLACES + 1):
            shares = torch.arange(0, 1 - 1e-6, 1 / torch.tensor(places))
            table[places, :places] = torch.bucketize(shares, self.boundaries, right=True)
        return table.flatten()

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        rows, columns = self.grid_of(inputs)
        states = self.embedded(inputs["pixel_values"], rows, columns)
        for layer in self.tower.encoder.layers:
            states = through_layer(layer, states)
        return {"image_features": self.resampler(self.tower.post_layernorm(states), columns)}
