"""Many questions about many image files, answered several at once, one JSON object a line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from vlm_ros.commands.answering import is_cut_form, json_from_answer, load_checked
from vlm_ros.commands.bounds import at_least
from vlm_ros.core.answer import AnswerForm
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadImage

BATCH = 8
"""Answers at once where nobody says otherwise; weights are read once for all of them."""


def print_answers(
    bundle: Bundle, arguments: argparse.Namespace, images: Sequence[Path], questions: Sequence[str], form: AnswerForm
) -> bool:
    """Ask all ``questions`` of each of ``images`` and print the answers in their order, as they come.

    Returns whether all have the ``form``, or were to have none.

    Images are read when they are next: thousands of them need the memory of one batch.
    """
    from vlm_ros.models.batching import Request, ask_all
    from vlm_ros.vision.loading import frame_from_file

    at_least(1, "--batch", arguments.batch)
    missing = [str(path) for path in images if not path.is_file()]
    if missing:
        raise BadImage(f"no image file at '{missing[0]}'")

    def requests() -> Iterator[Request]:
        for path in images:
            frame = frame_from_file(path)
            yield from (Request(frame, question, form) for question in questions)

    held = True
    model, limit = load_checked(
        bundle,
        arguments.precision,
        arguments.runtime,
        arguments.batch,
        portable=arguments.portable,
        ignore_gate=arguments.ignore_gate,
    )
    try:
        answers = ask_all(model, requests(), max_batch=limit, deadline_s=arguments.deadline)
        for (path, question), answer in zip(product(images, questions), answers, strict=True):
            about = {"image": str(path), "question": question}
            held = held and not is_cut_form(answer, form)
            print(json.dumps({**about, **json_from_answer(answer, bundle.name)}, ensure_ascii=False), flush=True)
    finally:
        model.close()
    return held
