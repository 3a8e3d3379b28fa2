"""The weights of a checkpoint file by file, as they are stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open

from vlm_ros.core.errors import BadBundle
from vlm_ros.core.lfs import check_content


def weight_files(folder: Path) -> list[Path]:
    """The files of a checkpoint that hold weights: safetensors, or else torch's; ``BadBundle`` where there are none."""
    for pattern in ("model*.safetensors", "pytorch_model*.bin"):
        files = sorted(folder.glob(pattern))
        if files:
            return files
    raise BadBundle(f"'{folder}' has neither model*.safetensors nor pytorch_model*.bin: copy its weights")


def check_weights(folder: Path) -> None:
    """``BadBundle`` naming the file of weights that is missing, a placeholder of Git LFS, or cut or damaged.

    torch's own files are not opened: only reading all of one would tell.
    """
    for file in weight_files(folder):
        check_content(file)
        if file.suffix == ".safetensors":
            list(read_tensors(file, ()))  # opening it compares its header with its length


def read_tensors(file: Path, beginnings: tuple[str, ...]) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and tensors of ``file`` whose names begin with one of ``beginnings``; nothing but tensors is read."""
    try:
        if file.suffix == ".bin":
            stored = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
            yield from ((name, tensor) for name, tensor in stored.items() if name.startswith(beginnings))
            return
        with safe_open(file, framework="pt") as stored:
            names = [name for name in stored.keys() if name.startswith(beginnings)]  # noqa: SIM118
            yield from ((name, stored.get_tensor(name)) for name in names)
    except Exception as error:  # the libraries raise what they like
        raise BadBundle(f"'{file}' cannot be read ({error}): copy it again") from error
