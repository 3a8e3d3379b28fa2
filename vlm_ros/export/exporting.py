"""`vlm_ros export`: from a transformers checkpoint to a bundle that answers as the checkpoint does."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vlm_ros.core.context import factors_change_after
from vlm_ros.core.errors import BadBundle, require
from vlm_ros.core.families import Family, family_of
from vlm_ros.core.seal import seal
from vlm_ros.export.bundle_files import read_json, write_bundle_files
from vlm_ros.export.steps import OnStep, say_nothing

if TYPE_CHECKING:
    from vlm_ros.core.agreement import Agreement

_log = logging.getLogger(__name__)

INSTALL = "pip install 'vlm_ros[export]'"
"""What a user types where a library lacks."""

OPSETS = (20, 23)
"""20 runs wherever we do. 23 has fewer, larger operators and decodes faster on the processor, but TensorRT 10.3
of JetPack 6 lacks them, and ONNX Runtime 1.23, the newest for Python 3.10, answers left-padded prompts with NaN."""


def export_bundle(
    checkpoint: Path, out: Path, opset: int = OPSETS[0], on_step: OnStep = say_nothing
) -> dict[str, Agreement]:
    """Export ``checkpoint`` to the bundle ``out``; how closely each part follows the checkpoint.

    Everything is made and checked in a folder beside ``out``, which takes its place at the end: a
    failed export leaves ``out`` as it was. Files in ``out`` that an export does not write are kept.
    Raises ``BadBundle`` for a checkpoint that cannot be read, ``ExportFailed`` where a graph differs
    from it, ``MissingLibrary`` without torch.
    """
    family = _family_of(checkpoint)
    with _replacing(out) as folder:
        write_bundle_files(checkpoint, folder)
        for library in ("torch", "transformers", "onnxscript"):
            require(library, INSTALL)
        from vlm_ros.export.graphs import export_graphs

        agreements = export_graphs(f"vlm_ros.export.{family.module}", checkpoint, folder / "onnx", opset, on_step)
        on_step("keep the checksums", 1.0)
        seal(folder, beside=out)
    _warn_of_border(checkpoint)
    return agreements


def recognised(checkpoint: Path) -> str:
    """What model ``checkpoint`` is, in words; ``BadBundle`` where it cannot be exported."""
    family, config = _family_of(checkpoint), read_json(checkpoint / "config.json")
    named = {"text": config.get("text_config"), "vision": config.get("vision_config")}
    kinds = [f"{what} model {part['model_type']}" for what, part in named.items() if part and part.get("model_type")]
    return ", ".join([f"{family.title} ({config['model_type']})", *kinds, f"parts: {', '.join(family.parts)}"])


def _family_of(checkpoint: Path) -> Family:
    """The checkpoint's family."""
    if not checkpoint.is_dir():
        raise BadBundle(f"no checkpoint folder at '{checkpoint}': give one that holds config.json and the weights")
    config = read_json(checkpoint / "config.json")
    try:
        family = family_of(config, checkpoint)
    except BadBundle as error:
        if "auto_map" in config:
            raise BadBundle(f"{error}. It brings Python code of its own (auto_map), which is never run here") from error
        raise
    if not family.exportable:
        raise BadBundle(f"'{checkpoint}' is of the family {family.title}, which is not exported here: take its bundle")
    return family


def _warn_of_border(checkpoint: Path) -> None:
    """Say where the bundle reads less than the checkpoint."""
    border = factors_change_after(read_json(checkpoint / "config.json"))
    if border is not None:
        _log.warning(
            "the text model of '%s' turns to other rotary factors (longrope) after %d tokens, and keys that are cached "
            "do not change with them: the bundle reads %d tokens, picture, question and answer together",
            checkpoint,
            border,
            border,
        )


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A new folder whose entries replace those of ``out`` unless the block raises."""
    if out.exists() and not out.is_dir():
        raise BadBundle(f"'{out}' is a file: give a folder for the bundle")
    folder = out.resolve().parent / f".{out.resolve().name}.{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        yield folder
        if out.exists():
            _replace_entries(folder, out)
        else:
            folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replace_entries(folder: Path, out: Path) -> None:
    """Each entry at once; what it replaces stays in ``folder``."""
    for entry in list(folder.iterdir()):
        previous = out / entry.name
        if previous.exists():
            previous.rename(folder / f"{entry.name}.previous")
        entry.rename(previous)
