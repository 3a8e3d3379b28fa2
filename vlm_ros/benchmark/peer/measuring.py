"""transformers in fp32, as its users run it."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.generation.streamers import BaseStreamer
from transformers.utils.logging import disable_progress_bar

from vlm_ros.benchmark.job import Job, Timings, picture
from vlm_ros.benchmark.process import LOGIT_PICTURES
from vlm_ros.benchmark.rounds import measure_rounds


class TokenClock(BaseStreamer):
    """Notes when the prompt went in and when each token came out."""

    def __init__(self) -> None:
        self.seen_s: list[float] = []

    def put(self, value: Any) -> None:
        """Called with the prompt, then with every token."""
        self.seen_s.append(time.perf_counter())

    def end(self) -> None:
        """Called after the last token."""


class Peer:
    """A checkpoint with its own processor and its own loop."""

    def __init__(self, job: Job) -> None:
        disable_progress_bar()
        self._job = job
        self._processor: Any = AutoProcessor.from_pretrained(job.model, local_files_only=True)
        loader: Any = AutoModelForImageTextToText
        self._device = "cuda" if job.cuda else "cpu"
        model = loader.from_pretrained(job.model, dtype=torch.float32, local_files_only=True)
        self._model = model.to(self._device).eval()

    def inputs(self, number: int, question: str) -> Any:
        """Tokens and pixels, as the checkpoint's own processor makes them."""
        image = {"type": "image", "image": Image.fromarray(picture(number).rgb)}
        inputs = self._processor.apply_chat_template(
            [{"role": "user", "content": [image, {"type": "text", "text": question}]}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        return inputs.to(self._device)

    def answer(self, number: int, question: str, tokens: int) -> tuple[float, list[float]]:
        """Seconds to the first token, pixels included, and to each that follows."""
        clock = TokenClock()
        began_s = time.perf_counter()
        inputs = self.inputs(number, question)
        self._model.generate(**inputs, max_new_tokens=tokens, do_sample=False, streamer=clock)
        new_s = clock.seen_s[1:]
        return new_s[0] - began_s, [later - earlier for earlier, later in itertools.pairwise(new_s)]

    def three_questions(self, number: int) -> float:
        """Seconds for three calls about one picture."""
        began_s = time.perf_counter()
        for question in self._job.questions:
            self.answer(number, question, self._job.short_tokens)
        return time.perf_counter() - began_s

    def logits(self, number: int) -> Any:
        """The logits after the prompt."""
        return self._model(**self.inputs(number, self._job.questions[0])).logits[0, -1].cpu().numpy()


@torch.inference_mode()
def measure(job: Job) -> Timings:
    """The rounds, then the logits, which are left in their file."""
    torch.set_num_threads(job.threads)
    peer, timings = measure_rounds(job, lambda: Peer(job))
    np.save(job.logits, np.stack([peer.logits(number) for number in range(LOGIT_PICTURES)]))
    return timings
