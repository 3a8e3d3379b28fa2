"""Questions about pictures, several in one run: shorter prompts are filled up on the left, and all go in step."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, runtime_checkable

import numpy as np

from vlm_ros.core.answer import Answer, AnswerForm, Finish, FreeText
from vlm_ros.core.frame import Frame
from vlm_ros.language.prompt_encoder import Prompt
from vlm_ros.models.answering import AnswerWriter, Speaker, ended_by, token_limit
from vlm_ros.models.decoding import Answering, answer_tokens
from vlm_ros.models.embedding import Embedded, Embeddings
from vlm_ros.models.free_rules import FollowedRules
from vlm_ros.models.model import Model, Stop, never
from vlm_ros.runtime.kv_cache import KvCache


@dataclass(frozen=True)
class Request:
    """One question about one frame. Requests about one picture share its ``frame``."""

    frame: Frame
    question: str
    form: AnswerForm = field(default_factory=FreeText)


@runtime_checkable
class BatchModel(Protocol):
    """A model that can answer several questions in one run."""

    @property
    def speaker(self) -> Speaker:
        """What its answers are made with."""

    def most_rows(self, wanted: int) -> int:
        """How many of ``wanted`` questions its graphs take at once; 1 where they take no batch."""

    def read_all(
        self, frames: Sequence[Frame], places: Sequence[int], prompts: Sequence[Prompt]
    ) -> tuple[list[Embedded], KvCache]:
        """What each row is fed before its answer, and the cache that all of them follow.

        ``prompts`` are about the frames at ``places``; all frames are encoded together. ``BadQuestion`` where a prompt
        is longer than the model reads.
        """


def ask_all(
    model: Model,
    requests: Iterable[Request],
    *,
    max_batch: int,
    deadline_s: float | None = None,
    stop: Stop = never,
) -> Iterator[Answer]:
    """The answers to ``requests``, in their order, at most ``max_batch`` of them in one run.

    No more requests are asked for than the next run takes, so that any number of pictures needs the memory of a few.
    Answers are those of one question after the other; models that take no batch get them so. ``deadline_s`` is what
    each run, or each single answer, may take. ``BadQuestion`` as ``Observation.ask``, for any of a run's questions.
    """
    rows = model.most_rows(max_batch) if isinstance(model, BatchModel) and max_batch > 1 else 1
    if isinstance(model, BatchModel) and rows > 1:
        waiting = iter(requests)
        while batch := list(islice(waiting, rows)):
            yield from _answers(model, batch, deadline_s, stop)
        return
    observation = None
    for request in requests:
        if observation is None or observation.frame is not request.frame:
            observation = model.observe(request.frame)
        yield observation.ask(request.question, request.form, deadline_s=deadline_s, stop=stop)


class _Row:
    """One request on its way: ``waiting`` are the tokens that it still has to feed."""

    def __init__(self, request: Request, speaker: Speaker, deadline_s: float | None, stop: Stop) -> None:
        self._request = request
        self._writer = AnswerWriter(speaker, request.form)
        self._room = 0
        self._end: tuple[Finish, float] | None = None
        self._rules = FollowedRules(speaker.language.free_rules, speaker.language.end_ids)
        self._answering: Answering = answer_tokens(
            (),
            end_ids=speaker.language.end_ids,
            limit=token_limit(request.form, speaker.max_tokens),
            constraint=speaker.language.constrainer.constraint(request.form),
            ended=ended_by(self._writer, speaker.clock, deadline_s, stop),
            on_tokens=self._writer.write,
            room=lambda: self._room,
            rules=self._rules,
        )
        self.waiting: deque[int] = deque()

    @property
    def ended(self) -> bool:
        """Whether the answer is complete."""
        return self._end is not None

    def begin(self, prompt: Sequence[int], room: int) -> None:
        """The tokens of ``prompt`` are read next; the context takes ``room`` tokens after it."""
        self._rules.read(prompt)
        self._room = room
        try:
            next(self._answering)
        except StopIteration as end:
            self._end = end.value

    def next_token(self) -> int:
        """What to feed now."""
        self._room -= 1
        return self.waiting.popleft()

    def take(self, logits: np.ndarray) -> None:
        """The logits after what was fed; forced tokens go first, one by one."""
        if self.ended or self.waiting:
            return
        try:
            self.waiting.extend(self._answering.send(logits))
        except StopIteration as end:
            self._end = end.value

    def answer(self) -> Answer:
        """The answer, once it has ended."""
        finish, confidence = self._end or (Finish.CANCELLED, 0.0)
        return self._writer.answer(self._request.frame, finish, confidence)


def _answers(model: BatchModel, requests: Sequence[Request], deadline_s: float | None, stop: Stop) -> Iterator[Answer]:
    """The answers to all ``requests`` in one batch."""
    speaker = model.speaker
    rows = [_Row(request, speaker, deadline_s, stop) for request in requests]
    encoded = [speaker.language.prompts.encode(request.question) for request in requests]
    frames = {id(request.frame): request.frame for request in requests}
    places = [list(frames).index(id(request.frame)) for request in requests]
    prompts, cache = model.read_all(list(frames.values()), places, encoded)
    decoder, longest = speaker.decoder, max(len(prompt.tokens) for prompt in prompts)
    padding = tuple(longest - len(prompt.tokens) for prompt in prompts)
    for row, prompt in zip(rows, prompts, strict=True):
        row.begin(prompt.tokens, decoder.context_tokens - len(prompt.tokens))
    embeddings = _padded([prompt.embeddings for prompt in prompts], longest)
    logits, cache = decoder.step_rows(embeddings, cache, padding)
    active = rows
    while True:
        for row, scores in zip(active, logits, strict=True):
            row.take(scores)
        going = [place for place, row in enumerate(active) if not row.ended]
        if not going:
            break
        if len(going) < len(active):
            active, padding = [active[place] for place in going], tuple(padding[place] for place in going)
            cache = decoder.kept_rows(cache, going)
        tokens = decoder.embed([row.next_token() for row in active])
        logits, cache = decoder.step_rows(tokens.swapaxes(0, 1), cache, padding)
    for row in rows:
        yield row.answer()


def _padded(prompts: Sequence[Embeddings], longest: int) -> Embeddings:
    """All ``prompts`` in one tensor (rows, longest, width), zeros in front of the shorter ones."""
    batch = np.zeros((len(prompts), longest, prompts[0].shape[2]), prompts[0].dtype)
    for row, prompt in enumerate(prompts):
        batch[row, longest - prompt.shape[1] :] = prompt[0]
    return batch
