"""The graphs that BLIP's architectures are made of: pictures, texts, both fused, and a decoder that looks at either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from transformers import DynamicCache, EncoderDecoderCache

from vlm_ros.export.clip import of_length_one
from vlm_ros.export.cross_attention import cross_names, encoder_mask
from vlm_ros.export.layer_cache import attention_shape
from vlm_ros.export.part import Axes, NamedTensors, Part, PicturePart, Sizes
from vlm_ros.export.text_decoder import TextDecoder
from vlm_ros.runtime.kv_cache import ENCODER_MASK


class VisionEncoder(PicturePart):
    """``pixel_values`` (batch, 3, height, width), normalised, to ``image_features`` (batch, tokens, width).

    Where the model compares, also to ``image_embeds`` (batch, shared width) of length one.
    """

    name = "vision_encoder"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower = model.vision_model
        self.projection = getattr(model, "vision_proj", None)
        self.side_px = model.config.vision_config.image_size

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        features = self.tower(inputs["pixel_values"]).last_hidden_state
        if self.projection is None:
            return {"image_features": features}
        return {"image_features": features, "image_embeds": of_length_one(self.projection(features[:, 0]))}


class TextModel(Part):
    """``input_ids`` and ``attention_mask`` (batch, sequence) to ``text_embeds`` (batch, shared width) of length one."""

    name = "text_model"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.text = model.text_encoder
        self.projection: Any = getattr(model, "text_proj", None)
        self.config: Any = model.config.text_config

    @property
    def axes(self) -> Mapping[str, Axes]:
        tokens = {0: "batch", 1: "sequence"}
        return {"input_ids": tokens, "attention_mask": tokens}

    def draw(self, sizes: Sizes) -> NamedTensors:
        """Row ``i`` of the batch has its last ``i`` tokens masked, where there is room."""
        mask = torch.ones(sizes.batch, sizes.sequence, dtype=torch.int64)
        for row in range(sizes.batch):
            mask[row, max(1, sizes.sequence - row) :] = 0
        return {"input_ids": torch.randint(self.config.vocab_size, mask.shape), "attention_mask": mask}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        states = self.text(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
        return {"text_embeds": of_length_one(self.projection(states[:, 0]))}


class QuestionEncoder(TextModel):
    """A question and a picture's ``encoder_hidden_states`` to ``question_features`` (batch, sequence, width)."""

    name = "question_encoder"

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {**super().axes, "encoder_hidden_states": {0: "batch", 1: "encoder_sequence"}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        states = torch.randn(sizes.batch, sizes.sequence + 4, self.config.encoder_hidden_size)
        return {**super().draw(sizes), "encoder_hidden_states": states}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        return {"question_features": self.fused(inputs)}

    def fused(self, inputs: NamedTensors) -> torch.Tensor:
        """The states of the text's tokens, which have looked at the picture."""
        states: torch.Tensor = self.text(**inputs).last_hidden_state
        return states


class FusionModel(QuestionEncoder):
    """A text and a picture's ``encoder_hidden_states`` to ``itm_logits`` (batch, 2): apart, together."""

    name = "fusion_model"

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.head = model.itm_head

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        return {"itm_logits": self.head(self.fused(inputs)[:, 0])}


class CrossDecoder(TextDecoder):
    """As ``TextDecoder``, with keys and values of an encoder's tokens for every layer, and a mask of them."""

    @property
    def axes(self) -> Mapping[str, Axes]:
        cross: dict[str, Axes] = {name: {0: "batch", 2: "encoder_sequence"} for name in self._cross_inputs}
        return {**super().axes, ENCODER_MASK: {0: "batch", 1: "encoder_sequence"}, **cross}

    def draw(self, sizes: Sizes) -> NamedTensors:
        heads, width = attention_shape(self.config)
        tokens = sizes.sequence + sizes.batch + 4
        cross = {name: torch.randn(sizes.batch, heads, tokens, width) for name in self._cross_inputs}
        return {**super().draw(sizes), ENCODER_MASK: encoder_mask(sizes.batch, tokens), **cross}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        own = self.opened_cache(inputs)
        names = cross_names(self.config.num_hidden_layers)
        cross = DynamicCache([(inputs[key], inputs[value]) for key, value in names])
        cache = EncoderDecoderCache(own, cross)
        cache.is_updated = dict.fromkeys(range(len(names)), True)
        with _masking_what_is_looked_at(self.text):
            result = self.text(
                inputs_embeds=inputs["inputs_embeds"].clone(),  # the embeddings' layer adds positions in place
                attention_mask=inputs["attention_mask"],
                position_ids=inputs["position_ids"],
                # Only that there are some matters.
                encoder_hidden_states=inputs[names[0][0]].transpose(1, 2).flatten(2),
                encoder_attention_mask=inputs[ENCODER_MASK],
                past_key_values=cache,
                use_cache=True,
                is_decoder=True,
            )
        return {"logits": self.head(result.last_hidden_state[:, -1:]), **self.present(own)}

    @property
    def _cross_inputs(self) -> list[str]:
        return [name for names in cross_names(self.config.num_hidden_layers) for name in names]


@contextmanager
def _masking_what_is_looked_at(text: Any) -> Iterator[None]:
    """Have the cross-attention of ``text`` heed its mask, which transformers 5 hands over under the wrong name."""

    def renamed(module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {"encoder_attention_mask": kwargs.get("attention_mask"), **kwargs}

    with ExitStack() as hooks:
        for layer in text.encoder.layer:
            looking = layer.crossattention.self
            hooks.callback(looking.register_forward_pre_hook(renamed, with_kwargs=True).remove)
        yield
