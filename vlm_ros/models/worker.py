"""One thread owns the model: the robot's questions go first, then people's, then lists of things and captions."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from vlm_ros.core.answer import Answer, AnswerForm, Finish, FreeText
from vlm_ros.core.card import ModelCard
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.errors import BadImage, BadQuestion, Cancelled, NoPicture
from vlm_ros.core.newest import NewestSlot
from vlm_ros.core.percept import Percept, unreadable
from vlm_ros.models.cascade import Cascade
from vlm_ros.models.finding import Finder
from vlm_ros.models.model import Observation, OnText, never
from vlm_ros.models.perceiving import perceive, perceive_path, perceive_things
from vlm_ros.models.seat import ModelSeat
from vlm_ros.models.serving import Counts, Listener, Picture, ServingConfig, Wanted

_POLL_S = 0.1
_NAMING_SHARE = 0.5
"""A list of things gets this much time for each second in which the robot is answered. Were every newer picture to go
first, a slow model would decode one token of the list for each, and never come to its end."""
T = TypeVar("T")


@dataclass
class _Job:
    """A question of a person, on its way to the worker's thread."""

    question: str
    form: AnswerForm
    deadline_s: float | None
    on_text: OnText | None
    cancelled: Callable[[], bool]
    submitted_s: float
    future: Future[Answer] = field(default_factory=Future)


class ModelWorker:
    """Looks at the newest picture, again and again, until closed.

    An answer that is being decoded lets a newer picture in between two tokens when somebody who goes
    first wants to know something, and then goes on. Put pictures into ``pictures`` and set ``wanted``
    (``None``: nothing) and ``naming``, whether to name the things in pictures, from any thread. The model on
    ``seat`` may be changed between two pictures. A ``cascade`` may hold back what would only be said again.
    """

    def __init__(
        self,
        seat: ModelSeat,
        card: ModelCard,
        config: Callable[[], ServingConfig],
        listener: Listener,
        clock: Clock = monotonic_s,
        cascade: Cascade | None = None,
    ) -> None:
        self.pictures: NewestSlot[Picture] = NewestSlot()
        self.wanted: Wanted | None = None
        self.naming = False
        self.counts = Counts()
        self._seat = seat
        self._card = card
        self._config = config
        self._listener = listener
        self._clock = clock
        self._cascade = cascade
        self._described_s = self._looked_s = float("-inf")
        self._jobs: deque[_Job] = deque()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop between two tokens; every waiting question ends with ``Cancelled``."""
        with self._lock:
            self._closing.set()
        self.pictures.close()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        while self._jobs:
            self._jobs.popleft().future.set_exception(Cancelled("the model was stopped before it could answer"))

    def submit(
        self,
        question: str,
        form: AnswerForm,
        *,
        deadline_s: float | None = None,
        on_text: OnText | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> Future[Answer]:
        """Ask about the next picture; the future ends with the answer, or with the reason why there is none."""
        job = _Job(question, form, deadline_s, on_text, cancelled, self._clock())
        with self._lock:
            if self._closing.is_set():
                job.future.set_exception(Cancelled("the model is stopped"))
            else:
                self._jobs.append(job)
        return job.future

    def _run(self) -> None:
        while not self._closing.is_set():
            picture = self.pictures.take(_POLL_S)
            try:
                self._seat.settle()
                if picture is not None:
                    self._look(picture)
                self._expire_jobs()
            except Exception as error:
                self._fail("could not work on a picture", error)

    def _look(self, picture: Picture) -> None:
        observation = self._attend(picture, people=True)
        if observation is not None:
            self._name_things(observation)
            self._describe(observation)

    def _attend(self, picture: Picture, *, people: bool) -> Observation | None:
        """Answer the robot, then one person, about ``picture``; ``None`` where it is of no use."""
        observation = self._observation(picture)
        if observation is None:
            return None
        self._tell_robot(observation, picture)
        if people and self._jobs and not self._closing.is_set():
            self._tell_person(self._jobs.popleft(), observation)
        self._looked_s = self._clock()
        return observation

    def _between_tokens(self, *, people: bool) -> bool:
        """Let a newer picture in, where somebody wants to know; true when it is time to stop."""
        people = people and bool(self._jobs)
        if (self.wanted is not None or people) and not self._closing.is_set():
            picture = self.pictures.take(timeout_s=0.0)
            if picture is not None:
                self._attend(picture, people=people)
        return self._closing.is_set()

    def _observation(self, picture: Picture) -> Observation | None:
        """``None`` where the picture is too old or cannot be read, which is counted."""
        age_s, limit_s = picture.age_at(self._clock()), self._config().max_frame_age_s
        self.counts.frame_age_s = age_s
        if age_s > limit_s:
            self.counts.too_old += 1
            self._listener.on_trouble(
                f"pictures are refused because they are more than {limit_s:g} s old: "
                "is the camera's clock in step with this machine's, or the model too slow for max_frame_age_s?"
            )
            return None
        try:
            return self._seat.model.observe(picture.read())
        except BadImage as error:
            self.counts.bad_images += 1
            self.counts.last_bad_image = str(error)
            self._listener.on_trouble(f"a picture cannot be used: {error}")
            return None

    def _tell_robot(self, observation: Observation, picture: Picture) -> None:
        """Answer what the robot wants to know; whatever goes wrong, it is told so."""
        wanted, start_s, cascade = self.wanted, self._clock(), self._cascade
        if wanted is None:
            return
        if cascade and not self._gate(lambda: cascade.wants_percept(observation.frame, wanted.target)):
            return
        try:
            percept = self._percept(observation, wanted)
        except Exception as error:
            self._fail(f"could not look for '{wanted.target}'", error)
            refusal = str(error) if isinstance(error, BadQuestion) else ""
            percept = unreadable(wanted.target, observation.frame.stamp_ns, refusal)
        now_s = self._clock()
        self.counts.percepts += 1
        self.counts.unreadable += not percept.readable
        self.counts.percept_s, self.counts.frame_age_s = now_s - start_s, picture.age_at(now_s)
        self._listener.on_percept(percept, observation.frame)
        if cascade:
            self._gate(lambda: cascade.told(observation.frame, percept))

    def _gate(self, look: Callable[[], T]) -> T | bool:
        """What ``look`` says; where the cascade fails, nothing is held back."""
        try:
            said = look()
        except Exception as error:
            self._fail("the gate could not look at a picture", error)
            return True
        self.counts.held_back += said is False
        return said

    def _percept(self, observation: Observation, wanted: Wanted) -> Percept:
        deadline_s, stop = self._config().percept_deadline_s, self._closing.is_set
        if wanted.target:
            return perceive(observation, wanted.target, self._card, deadline_s=deadline_s, stop=stop)
        return perceive_path(observation, self._card, deadline_s=deadline_s, stop=stop)

    def _tell_person(self, job: _Job, observation: Observation) -> None:
        def stop() -> bool:
            return job.cancelled() or self._between_tokens(people=False)

        try:
            answer = observation.ask(job.question, job.form, deadline_s=job.deadline_s, on_text=job.on_text, stop=stop)
        except Exception as error:
            job.future.set_exception(error)
        else:
            self._note_speed(answer)
            job.future.set_result(answer)

    def _name_things(self, observation: Observation) -> None:
        """Say what is in the picture, when the robot knows all that it drives by."""
        if not self.naming or self._closing.is_set():
            return
        deadline_s = self._config().things_deadline_s

        def stop() -> bool:
            if self._clock() - self._looked_s < _NAMING_SHARE * self.counts.percept_s:
                return self._closing.is_set()
            return self._between_tokens(people=True)

        try:
            seen = perceive_things(observation, self._card, deadline_s=deadline_s, stop=stop)
        except BadQuestion as error:
            self._listener.on_trouble(f"this model cannot list what it sees: {error}")
        except Exception as error:
            self._fail("could not name the things in a picture", error)
        else:
            if seen is not None:
                self.counts.things += 1
                self._listener.on_things(seen, observation.frame)

    def _describe(self, observation: Observation) -> None:
        config, now_s, cascade = self._config(), self._clock(), self._cascade
        if not config.describe_period_s or now_s < self._described_s + config.describe_period_s:
            return
        if isinstance(observation, Finder):
            return  # it compares, it does not speak
        if cascade and not self._gate(lambda: cascade.wants_description(observation.frame)):
            return
        self._described_s = now_s
        prompt, form = config.describe_prompt or self._card.describe_prompt, FreeText(config.describe_tokens or None)

        def stop() -> bool:
            return self._between_tokens(people=True)

        try:
            answer = observation.ask(prompt, form, deadline_s=config.describe_deadline_s, stop=stop)
        except Exception as error:
            self._fail("could not describe the scene", error)
            return
        if answer.finish is not Finish.CANCELLED:
            self.counts.descriptions += 1
            self._note_speed(answer)
            self._listener.on_description(answer, prompt)
            if cascade:
                self._gate(lambda: cascade.described(observation.frame))

    def _expire_jobs(self) -> None:
        """Give up on questions for which no picture came; time in which the model was at work does not count."""
        timeout_s = self._config().picture_timeout_s
        while self._jobs and self._clock() > max(self._jobs[0].submitted_s, self._looked_s) + timeout_s:
            reason = f"no usable picture came within {timeout_s:g} s: /diagnostics says why"
            self._jobs.popleft().future.set_exception(NoPicture(reason))

    def _note_speed(self, answer: Answer) -> None:
        self.counts.first_token_s = answer.first_token_s
        self.counts.tokens_per_s = answer.tokens_per_s

    def _fail(self, what: str, error: Exception) -> None:
        self.counts.failures += 1
        self.counts.last_failure = f"{what}: {type(error).__name__}: {error}"
        self._listener.on_trouble(self.counts.last_failure)
