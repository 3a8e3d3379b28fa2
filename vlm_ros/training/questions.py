"""Draws questions and their answers for a batch of views, whole batches at a time, on any device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from vlm_ros.core.things import NOTHING
from vlm_ros.sim.caption import MOST_OBJECTS
from vlm_ros.training import phrases
from vlm_ros.training.phrases import COLORS, SHAPES
from vlm_ros.training.tokens import NONE, packed, token_rows
from vlm_ros.training.view_table import FAINT, VISIBLE

NAMES = len(COLORS) * len(SHAPES)
FAINT_CLASS = -1


@dataclass(frozen=True)
class Branches:
    """Questions with answers, each hanging from the same image prefix.

    ``tokens`` (B, L), ``NONE`` where there is none; ``branch`` (L,) which branch a column belongs
    to; ``place`` (B, L) the position within the branch; ``answer`` (B, L) whether a token is part of
    an answer; ``decision`` (B, L) whether it is the first token of one.
    """

    tokens: Tensor
    branch: Tensor
    place: Tensor
    answer: Tensor
    decision: Tensor


class Questioner:
    """Turns what is true of views into packed branches of tokens."""

    def __init__(self, tokenizer: Tokenizer, device: torch.device, find: int = 6) -> None:
        def rows(texts: Sequence[str], end: str = "") -> Tensor:
            return token_rows(tokenizer, [text + end for text in texts]).to(device)

        def asked(wordings: Sequence[str], **words: Sequence[str]) -> Tensor:
            filled = [
                phrases.prompt(wording.format(**{name: value}))
                for wording in wordings
                for name, values in (words or {"": [""]}).items()
                for value in values
            ]
            return rows(filled).view(len(wordings), -1, rows(filled).shape[-1])

        self.device = device
        self.find_count = find
        self.find = asked(phrases.FIND, target=phrases.TARGETS)
        self.present = asked(phrases.PRESENT, target=phrases.TARGETS)
        self.color = asked(phrases.COLOR, shape=SHAPES)
        self.path = asked(phrases.PATH)
        self.describe = asked(phrases.DESCRIBE)
        self.count = asked(phrases.COUNT)
        self.find_answers = rows(phrases.FIND_ANSWERS, "</s>")
        self.present_answers = rows(phrases.PRESENT_ANSWERS, "</s>")
        self.color_answers = rows([*COLORS, "none"], "</s>")
        self.path_answers = rows(phrases.PATH_ANSWERS, "</s>")
        self.count_answers = rows(phrases.COUNT_ANSWERS, "</s>")
        self.first_phrases = rows([*phrases.described(first=True), NOTHING])
        self.later_phrases = rows(phrases.described(first=False))
        self.path_sentences = rows(phrases.path_sentences(), "</s>")

    def draw(self, objects: Tensor, blocked: Tensor) -> Branches:
        """Branches for views with ``objects`` (B, 8, 5) and ``blocked`` (B,), both int64."""
        answers = target_answers(objects)
        weights = _target_weights(objects, answers)
        targets = torch.multinomial(weights, self.find_count + 1)
        pairs = [
            (self._asked(self.find, target), self.find_answers[answers.gather(1, target[:, None])[:, 0]])
            for target in targets[:, :-1].unbind(1)
        ]
        present = (answers.gather(1, targets[:, -1:])[:, 0] > 0).long()
        pairs.append((self._asked(self.present, targets[:, -1]), self.present_answers[present]))
        nothing = torch.zeros_like(blocked)
        pairs.append((self._asked(self.path, nothing), self.path_answers[blocked]))
        pairs.append((self._asked(self.describe, nothing), self._captions(objects, blocked)))
        visible = (objects[:, :, 0] == VISIBLE).sum(1)
        pairs.append((self._asked(self.count, nothing), self.count_answers[visible]))
        shape = torch.randint(len(SHAPES), blocked.shape, device=self.device)
        pairs.append((self._asked(self.color, shape), self.color_answers[_color_of(objects, shape)]))
        return _joined(pairs)

    def _asked(self, table: Tensor, item: Tensor) -> Tensor:
        wording = torch.randint(table.shape[0], item.shape, device=self.device)
        return table[wording, item]

    def _captions(self, objects: Tensor, blocked: Tensor) -> Tensor:
        kept = objects[:, :MOST_OBJECTS]
        state, color, shape, bearing, range_ = kept.unbind(-1)
        visible = state == VISIBLE
        phrase = (color * len(SHAPES) + shape) * len(phrases.PLACES) + bearing * 2 + range_
        first = torch.where(visible[:, 0], phrase[:, 0], len(self.first_phrases) - 1)
        later = self.later_phrases[phrase[:, 1:]]
        later = torch.where(visible[:, 1:, None], later, NONE)
        return torch.cat([self.first_phrases[first], later.flatten(1), self.path_sentences[blocked]], 1)


def target_answers(objects: Tensor) -> Tensor:
    """(B, targets) class in ``FIND_ANSWERS`` of each target's answer, ``FAINT_CLASS`` where it is too faint to tell.

    Targets that name only a colour or a shape mean the largest such object.
    """
    state, color, shape, bearing, range_ = objects.unbind(-1)
    answer = torch.where(state == VISIBLE, 1 + bearing * 2 + range_, 0)
    answer = torch.where(state == FAINT, FAINT_CLASS, answer)
    answers = torch.zeros(len(objects), len(phrases.TARGETS), dtype=torch.long, device=objects.device)
    # smallest first, so that the largest object has the last word
    for slot in reversed(range(objects.shape[1])):
        for target in (color * len(SHAPES) + shape, NAMES + shape, NAMES + len(SHAPES) + color):
            index = target[:, slot : slot + 1]
            there = state[:, slot : slot + 1] > 0
            answers.scatter_(1, index, torch.where(there, answer[:, slot : slot + 1], answers.gather(1, index)))
    return answers


def _target_weights(objects: Tensor, answers: Tensor) -> Tensor:
    """(B, targets) how often each target is asked for: 45 % present, 35 % one word wrong, 20 % anything else."""
    state, color, shape, _, _ = objects.unbind(-1)
    there = (state > 0).float()
    has_color = torch.zeros(len(objects), len(COLORS), device=objects.device).scatter_add_(1, color, there) > 0
    has_shape = torch.zeros(len(objects), len(SHAPES), device=objects.device).scatter_add_(1, shape, there) > 0
    alike = (has_color[:, :, None] | has_shape[:, None, :]).flatten(1)
    alike = torch.cat([alike, torch.zeros_like(answers[:, NAMES:], dtype=torch.bool)], 1)
    absent = answers == 0
    weights = torch.full_like(answers, 1e-6, dtype=torch.float32)
    for group, share in ((answers > 0, 0.45), (absent & alike, 0.35), (absent & ~alike, 0.20)):
        rarity = torch.ones_like(weights)
        rarity[:, NAMES:] = 0.25
        rarity = rarity * group
        weights += share * rarity / rarity.sum(1, keepdim=True).clamp(min=1e-6)
    return weights * (answers != FAINT_CLASS)


def _color_of(objects: Tensor, shape: Tensor) -> Tensor:
    """(B,) colour of the largest visible object of ``shape``, or the class behind the colours where there is none."""
    fits = (objects[:, :, 0] == VISIBLE) & (objects[:, :, 2] == shape[:, None])
    color = objects[:, :, 1].gather(1, fits.float().argmax(1, keepdim=True))[:, 0]
    return torch.where(fits.any(1), color, len(COLORS))


def _joined(pairs: list[tuple[Tensor, Tensor]]) -> Branches:
    columns: list[tuple[Tensor, ...]] = []
    for number, (question, reply) in enumerate(pairs):
        row = packed(torch.cat([question, reply], 1)).long()
        asked = (question != NONE).sum(1, keepdim=True)
        place = torch.arange(row.shape[1], device=row.device).expand_as(row)
        branch = torch.full_like(row[0], number)
        columns.append((row, branch, place, (place >= asked) & (row != NONE), place == asked))
    return Branches(*(torch.cat(column, -1) for column in zip(*columns, strict=True)))
