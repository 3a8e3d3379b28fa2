"""Whether a part answers as the checkpoint does. Nothing is called a success before it passed here."""

from __future__ import annotations

import torch

from vlm_ros.core.agreement import Agreement, Array, agreement_of
from vlm_ros.core.errors import ExportFailed
from vlm_ros.export.part import Part, Sizes
from vlm_ros.runtime.runner import Runner

CHECKED_SIZES = (Sizes(1, 7, 0), Sizes(1, 1, 7), Sizes(3, 2, 4), Sizes(3, 11, 0))
"""A prompt, a step, and batches of both kinds; none of them the sizes that the export was traced with."""


def check_part(part: Part, runner: Runner) -> Agreement:
    """The worst agreement over all checked sizes and outputs; ``ExportFailed`` where one is not accepted."""
    agreements = []
    for sizes in (*CHECKED_SIZES, *part.more_sizes):
        inputs = part.draw(sizes)
        with torch.inference_mode():
            expected = part(inputs)
        exported = runner.run({name: tensor.numpy() for name, tensor in inputs.items()})
        for name, tensor in expected.items():
            agreement = _agreement_of(name, exported[name], tensor.numpy())
            if not agreement.accepted:
                raise ExportFailed(f"'{part.name}' differs from the checkpoint in '{name}' for {sizes}: {agreement}")
            agreements.append(agreement)
    return max(agreements, key=lambda agreement: agreement.max_absolute_error)


def _agreement_of(name: str, exported: Array, expected: Array) -> Agreement:
    try:
        return agreement_of(exported, expected)
    except ValueError as error:
        raise ExportFailed(f"the exported graph answers another '{name}' than the checkpoint: {error}") from error
