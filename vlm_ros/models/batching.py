"""Questions about pictures, several in one run: shorter prompts are filled up on the left, and all go in step."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from vlm_ros.core.answer import Answer, AnswerForm, Finish, FreeText
from vlm_ros.core.frame import Frame
from vlm_ros.models.answering import AnswerWriter, Speaker, ended_by, token_limit
from vlm_ros.models.decoding import Answering, answer_tokens
from vlm_ros.models.embedding import Embeddings
from vlm_ros.models.model import Model, Stop, never
from vlm_ros.models.observation import check_room
from vlm_ros.models.picture_model import PictureModel, SeenPicture


@dataclass(frozen=True)
class Request:
    """One question about one frame. Requests about one picture share its ``frame``."""

    frame: Frame
    question: str
    form: AnswerForm = field(default_factory=FreeText)


def ask_all(
    model: Model,
    requests: Sequence[Request],
    *,
    max_batch: int,
    deadline_s: float | None = None,
    stop: Stop = never,
) -> Iterator[Answer]:
    """The answers to ``requests``, in their order, at most ``max_batch`` of them in one run.

    Answers are those of one question after the other; models that take no batch get them so. ``deadline_s`` is what
    each run, or each single answer, may take. ``BadQuestion`` as ``Observation.ask``, for any of a run's questions.
    """
    if max_batch > 1 and isinstance(model, PictureModel) and model.takes_batches:
        for start in range(0, len(requests), max_batch):
            yield from _answers(model, requests[start : start + max_batch], deadline_s, stop)
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
        self._answering: Answering = answer_tokens(
            (),
            end_ids=speaker.language.end_ids,
            limit=token_limit(request.form, speaker.max_tokens),
            constraint=speaker.language.constrainer.constraint(request.form),
            ended=ended_by(self._writer, speaker.clock, deadline_s, stop),
            on_tokens=self._writer.write,
            room=lambda: self._room,
        )
        self.waiting: deque[int] = deque()

    @property
    def ended(self) -> bool:
        """Whether the answer is complete."""
        return self._end is not None

    def begin(self, room: int) -> None:
        """The prompt is read next; the context takes ``room`` tokens after it."""
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


def _answers(
    model: PictureModel, requests: Sequence[Request], deadline_s: float | None, stop: Stop
) -> Iterator[Answer]:
    """The answers to all ``requests`` in one batch."""
    rows = [_Row(request, model.speaker, deadline_s, stop) for request in requests]
    prompts = _prompts(model, requests)
    decoder, longest = model.decoder, max(prompt.shape[1] for prompt in prompts)
    padding = tuple(longest - prompt.shape[1] for prompt in prompts)
    for row, prompt in zip(rows, prompts, strict=True):
        row.begin(decoder.context_tokens - prompt.shape[1])
    logits, cache = decoder.step_rows(_padded(prompts, longest), decoder.begin_rows(len(rows)), padding)
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


def _prompts(model: PictureModel, requests: Sequence[Request]) -> list[Embeddings]:
    """The whole prompt of each request; a picture is seen once for all questions about it."""
    encoded = [model.language.prompts.encode(request.question) for request in requests]
    seen: dict[int, SeenPicture] = {}
    prompts = []
    for request, prompt in zip(requests, encoded, strict=True):
        key = id(request.frame)
        if key not in seen:
            seen[key] = model.see(request.frame)
        embeddings = model.embedded([*prompt.before, *seen[key].tokens, *prompt.after], seen[key])
        check_room(embeddings.shape[1], model.speaker)
        prompts.append(embeddings)
    return prompts


def _padded(prompts: Sequence[Embeddings], longest: int) -> Embeddings:
    """All ``prompts`` in one tensor (rows, longest, width), zeros in front of the shorter ones."""
    batch = np.zeros((len(prompts), longest, prompts[0].shape[2]), prompts[0].dtype)
    for row, prompt in enumerate(prompts):
        batch[row, longest - prompt.shape[1] :] = prompt[0]
    return batch
