"""The loss: answers token by token over one shared image prefix, and what each patch shows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlavaForConditionalGeneration

from vlm_ros.training.architecture import WIDTH
from vlm_ros.training.phrases import COLORS, PREFIX, SHAPES
from vlm_ros.training.questions import Branches
from vlm_ros.training.tokenizer import IMAGE_ID
from vlm_ros.training.tokens import NONE, token_weights

DECISION_WEIGHT = 4.0
GRAMMAR_WEIGHT = 0.3


class DenseHeads(nn.Module):
    """Reads colour, shape and range of the object in each patch, and the path ahead, off the vision tower.

    They teach the tower to see before there are words, and are thrown away after the training.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sizes = (len(COLORS) + 1, len(SHAPES) + 1, 3)
        self.patch = nn.Linear(WIDTH, sum(self.sizes))
        self.path = nn.Linear(WIDTH, 2)

    def loss(self, hidden: Tensor, patches: Tensor, blocked: Tensor) -> Tensor:
        """Mean cross-entropy over ``patches`` (B, 3, P) and ``blocked`` (B,); patches with an object weigh more."""
        logits = self.patch(hidden).float().split(self.sizes, -1)
        weight = 1 + 4 * (patches[:, 0] > 0).float()
        losses = [
            (functional.cross_entropy(one.transpose(1, 2), patches[:, index], reduction="none") * weight).sum()
            / weight.sum()
            for index, one in enumerate(logits)
        ]
        path = functional.cross_entropy(self.path(hidden.mean(1)).float(), blocked)
        return torch.stack([*losses, path]).mean()


@dataclass
class Objective:
    """Losses of a model over a batch."""

    model: LlavaForConditionalGeneration
    heads: DenseHeads
    tokenizer: Tokenizer
    device: torch.device

    def __post_init__(self) -> None:
        ids = self.tokenizer.encode(PREFIX, add_special_tokens=False).ids
        assert ids[-1] == IMAGE_ID
        self.opening = torch.tensor(ids[:-1], device=self.device)
        self.weights = token_weights(self.tokenizer, GRAMMAR_WEIGHT).to(self.device)

    def hidden(self, pixels: Tensor) -> Tensor:
        """(B, P, WIDTH) what the vision tower says of each patch."""
        return self.model.model.vision_tower(pixels).last_hidden_state[:, 1:]

    def logits(self, hidden: Tensor, branches: Branches) -> Tensor:
        """(B, L, vocabulary) logits at each token of ``branches``."""
        embed = self.model.get_input_embeddings()
        images = self.model.model.multi_modal_projector(hidden)
        opening = embed(self.opening).expand(len(images), -1, -1).to(images.dtype)
        texts = embed(branches.tokens.clamp(min=0)).to(images.dtype)
        prefix = opening.shape[1] + images.shape[1]
        positions = torch.arange(prefix, device=self.device).expand(len(images), -1)
        states = self.model.model.language_model(
            inputs_embeds=torch.cat([opening, images, texts], 1),
            attention_mask=_mask(branches, prefix),
            position_ids=torch.cat([positions, prefix + branches.place], 1),
            use_cache=False,
        ).last_hidden_state
        return self.model.lm_head(states[:, prefix:])

    def answers(self, logits: Tensor, branches: Branches) -> Tensor:
        """Weighted mean cross-entropy over the answers' tokens."""
        target = branches.tokens[:, 1:].clamp(min=0)
        weight = self.weights[target] * branches.answer[:, 1:]
        weight = weight * torch.where(branches.decision[:, 1:], DECISION_WEIGHT, 1.0)
        loss = functional.cross_entropy(logits[:, :-1].transpose(1, 2).float(), target, reduction="none")
        return (loss * weight).sum() / weight.sum()


def _mask(branches: Branches, prefix: int) -> Tensor:
    """(B, 1, L, L) who may look at whom: all at the prefix, each token at the earlier ones of its own branch."""
    length = branches.tokens.shape[1]
    device = branches.tokens.device
    own = branches.branch[:, None] == branches.branch[None, :]
    inside = own & torch.ones(length, length, dtype=torch.bool, device=device).tril()
    inside = inside & (branches.tokens != NONE)[:, None, :]
    # a gap looks at itself, so that no row of the attention is empty
    inside = inside | torch.eye(length, dtype=torch.bool, device=device)
    total = prefix + length
    mask = torch.ones(len(branches.tokens), total, total, dtype=torch.bool, device=device).tril()
    mask[:, prefix:, prefix:] = inside
    return mask[:, None]
