"""What a model without any sense writes when it is held to a form."""

from __future__ import annotations

import random

from vlm_ros.core.answer import AnswerForm
from vlm_ros.language.constraint import Constrainer
from vlm_ros.language.tokenizer import Tokenizer


def babble(tokenizer: Tokenizer, constrainer: Constrainer, form: AnswerForm, seed: int, most: int = 300) -> str:
    """At most ``most`` tokens under the constraint of ``form``."""
    draw = random.Random(seed)
    constraint = constrainer.constraint(form)
    assert constraint is not None
    numbers: list[int] = []
    while not constraint.finished and len(numbers) < most:
        token = draw.choice(constraint.allowed().tolist())
        if token == tokenizer.number_of("</s>"):
            break
        numbers += [token, *constraint.accept(token)]
    return tokenizer.decode(numbers)
