"""Weights that lie in a file while a model is exported: the system takes their memory back when it needs it."""

from __future__ import annotations

from pathlib import Path

import torch

_SMALL_BYTES = 1_000_000
"""Weights below this stay where they are: there are few of them."""


@torch.no_grad()
def rest_on_disk(model: torch.nn.Module, folder: Path) -> None:
    """Move the large weights of ``model`` to files in ``folder`` that have no name any more and go with the process."""
    for number, parameter in enumerate(model.parameters()):
        if parameter.nbytes < _SMALL_BYTES:
            continue
        path = folder / f"{number}.weights"
        mapped = torch.from_file(str(path), shared=True, size=parameter.numel(), dtype=parameter.dtype)
        path.unlink()
        mapped = mapped.view(parameter.shape)
        mapped.copy_(parameter)
        parameter.data = mapped
