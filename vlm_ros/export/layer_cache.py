"""What each layer of a text model keeps of the tokens that it has read, and what a graph calls it.

Layers of attention keep a key and a value for every token: ``past_key_values.{layer}.key|value``, and
``present.{layer}.key|value`` from then on. Layers of linear attention and of short convolutions keep states, which
are as large after a thousand tokens as after one: ``past_conv.{layer}``, the last inputs of a causal convolution
(batch, channels, kernel), and ``past_recurrent.{layer}``, what a recurrence sums up (batch, heads, key width, value
width), with ``present_conv.{layer}`` and ``present_recurrent.{layer}`` behind. Before the first token states are
zeros. The ONNX files of Qwen3.5 and LFM2 on the hub have the same names and shapes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer, LinearAttentionLayer

from vlm_ros.core.errors import BadBundle
from vlm_ros.core.layer_states import CONVOLUTION, RECURRENCE, state_shapes
from vlm_ros.export.part import Axes, NamedTensors, Sizes


class LayerCache(ABC):
    """What one layer keeps."""

    @property
    @abstractmethod
    def axes(self) -> Mapping[str, Axes]:
        """The dynamic dimensions of what goes in, by name."""

    @abstractmethod
    def draw(self, sizes: Sizes) -> NamedTensors:
        """Random content, as if ``sizes.past`` tokens had been read."""

    @abstractmethod
    def opened(self, inputs: NamedTensors) -> Any:
        """The layer of a transformers cache that holds what is among ``inputs``."""

    @abstractmethod
    def present(self, layer: Any) -> NamedTensors:
        """What ``layer``, opened before, holds now."""


class KeysAndValues(LayerCache):
    """The keys and values (batch, heads, tokens, width) of the attention in layer ``number``."""

    def __init__(self, number: int, heads: int, width: int) -> None:
        self._number = number
        self._shape = (heads, width)
        self.names = (f"past_key_values.{number}.key", f"past_key_values.{number}.value")

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {name: {0: "batch", 2: "past"} for name in self.names}

    def draw(self, sizes: Sizes) -> NamedTensors:
        heads, width = self._shape
        return {name: torch.randn(sizes.batch, heads, sizes.past, width) for name in self.names}

    def opened(self, inputs: NamedTensors) -> Any:
        layer = DynamicLayer()
        layer.update(*(inputs[name] for name in self.names))
        return layer

    def present(self, layer: Any) -> NamedTensors:
        return {f"present.{self._number}.key": layer.keys, f"present.{self._number}.value": layer.values}


class States(LayerCache):
    """The states of layer ``number``, of ``shapes`` without the batch: a convolution's, and perhaps a recurrence's."""

    def __init__(self, number: int, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._number = number
        self._shapes = shapes

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {self._past(kind): {0: "batch"} for kind in self._shapes}

    def draw(self, sizes: Sizes) -> NamedTensors:
        return {self._past(kind): torch.randn(sizes.batch, *shape) for kind, shape in self._shapes.items()}

    def opened(self, inputs: NamedTensors) -> Any:
        layer = LinearAttentionLayer()
        # transformers writes into the states that it holds; what a caller has fed must stay as it is.
        layer.conv_states[0] = inputs[self._past(CONVOLUTION)].clone()
        layer.is_conv_states_initialized[0] = layer.has_previous_state[0] = True
        layer.conv_kernel_size[0] = self._shapes[CONVOLUTION][-1]
        if RECURRENCE in self._shapes:
            layer.recurrent_states[0] = inputs[self._past(RECURRENCE)].clone()
            layer.is_recurrent_states_initialized[0] = True
        return layer

    def present(self, layer: Any) -> NamedTensors:
        held = {CONVOLUTION: layer.conv_states[0], RECURRENCE: layer.recurrent_states[0]}
        return {f"present_{kind}.{self._number}": held[kind] for kind in self._shapes}

    def _past(self, kind: str) -> str:
        return f"past_{kind}.{self._number}"


def layer_caches_of(config: Any) -> list[LayerCache]:
    """What each layer of the text model of ``config`` keeps; ``BadBundle`` naming a kind of layer that nobody knows."""
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    return [_layer_cache(config, number, kind) for number, kind in enumerate(kinds)]


def attention_shape(config: Any) -> tuple[int, int]:
    """How many heads the text model of ``config`` keeps keys and values of, and how wide they are."""
    heads: int = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width: int = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return heads, width


def _layer_cache(config: Any, number: int, kind: str) -> LayerCache:
    shapes = state_shapes(config.to_dict(), kind)
    if shapes:
        return States(number, shapes)
    if kind in ("full_attention", "sliding_attention"):
        return KeysAndValues(number, *attention_shape(config))
    raise BadBundle(
        f"layer {number} of the text model ({config.model_type}) is of the kind '{kind}', which is not exported: "
        "take a checkpoint with attention, gated delta nets or short convolutions"
    )
