"""Layers of linear attention, Qwen3.5's gated delta nets, in a form that becomes a graph."""

from __future__ import annotations

import copy
from typing import Any

import torch
from transformers.activations import ACT2FN
from transformers.models.qwen3_5.modeling_qwen3_5 import Qwen3_5GatedDeltaNet, apply_mask_to_padding_states

from vlm_ros.export.delta_rule import GatedDeltaRule


class DeltaNet(torch.nn.Module):
    """Is ``net``, but for the exporter, to which it shows the same computation for any number of tokens.

    So it is the reference's own code that an exported graph is compared with.
    """

    def __init__(self, net: Qwen3_5GatedDeltaNet, rule: GatedDeltaRule) -> None:
        super().__init__()
        self.net: Any = net
        self.rule = rule

    def forward(
        self, hidden_states: torch.Tensor, cache_params: Any, attention_mask: torch.Tensor | None, **others: Any
    ) -> torch.Tensor:
        """``hidden_states`` (batch, tokens, width) after the layer; ``cache_params`` holds its states before and after.

        Tokens that ``attention_mask`` (batch, tokens) hides leave no trace in the states.
        """
        if not torch.compiler.is_exporting():
            result: torch.Tensor = self.net(hidden_states, cache_params, attention_mask, **others)
            return result
        net, layer = self.net, cache_params.layers[self.net.layer_idx]
        states = apply_mask_to_padding_states(hidden_states, attention_mask)
        mixed = self._convolved(net.in_proj_qkv(states), layer)
        widths = (net.head_k_dim, net.head_k_dim, net.head_v_dim)
        parts = mixed.split([net.key_dim, net.key_dim, net.value_dim], dim=-1)
        query, key, value = (part.unflatten(-1, (-1, width)) for part, width in zip(parts, widths, strict=True))
        decay = -net.A_log.exp() * torch.nn.functional.softplus(net.in_proj_a(states) + net.dt_bias)
        results, state = self.rule(
            _for_each_value(query, net),
            _for_each_value(key, net),
            value,
            decay,
            net.in_proj_b(states).sigmoid(),
            layer.recurrent_states[0],
        )
        layer.update_recurrent_state(state)
        gate = net.in_proj_z(states).unflatten(-1, (-1, net.head_v_dim))
        projected: torch.Tensor = net.out_proj(net.norm(results, gate).flatten(2))
        return projected

    def _convolved(self, mixed: torch.Tensor, layer: Any) -> torch.Tensor:
        """``mixed`` (batch, tokens, channels) after the causal convolution, which sees the state in front of it.

        Each channel is a convolution of its own, of four weights and no bias. Written out it needs no transpose of
        all tokens, and a single token takes a sixth of the time that ONNX Runtime's operator takes on the processor.
        """
        net = self.net
        seen = torch.cat([layer.conv_states[0].transpose(1, 2), mixed], dim=1)
        layer.update_conv_state(seen[:, -net.conv_kernel_size :].transpose(1, 2))
        taps = net.conv1d.weight.squeeze(1).unbind(1)
        # The state is as long as the kernel, so its oldest input is seen no more.
        shifted = (seen[:, place : place + mixed.shape[1]] for place in range(1, net.conv_kernel_size + 1))
        summed = sum(tap * inputs for tap, inputs in zip(taps, shifted, strict=True))
        activated: torch.Tensor = ACT2FN[net.activation](summed)
        return activated


def _for_each_value(heads: torch.Tensor, net: Any) -> torch.Tensor:
    """Queries or keys (batch, tokens, heads, width), repeated for the heads of values that share them."""
    sharing = net.num_v_heads // net.num_k_heads
    return heads if sharing == 1 else heads.repeat_interleave(sharing, dim=2)


def with_delta_nets(text: torch.nn.Module) -> torch.nn.Module:
    """``text`` with a ``DeltaNet`` in place of each gated delta net; the weights are the same, ``text`` stays as it is.

    ``text`` itself where it has none.
    """
    if not any(isinstance(module, Qwen3_5GatedDeltaNet) for module in text.modules()):
        return text
    shared = {id(tensor): tensor for tensor in (*text.parameters(), *text.buffers())}
    exported: Any = copy.deepcopy(text, shared)
    rule = GatedDeltaRule()
    for layer in exported.layers:
        if isinstance(getattr(layer, "linear_attn", None), Qwen3_5GatedDeltaNet):
            layer.linear_attn = DeltaNet(layer.linear_attn, rule)
    return exported
