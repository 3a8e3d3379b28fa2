"""A transformers checkpoint as a model that is ready for inference."""

from __future__ import annotations

import codecs
import pickle
from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from transformers import AutoModelForImageTextToText
from transformers.utils.logging import disable_progress_bar

from vlm_ros.core.bundle import CONFIG
from vlm_ros.core.errors import BadBundle
from vlm_ros.export.bundle_files import read_json
from vlm_ros.export.weight_files import check_weights

_CAUSE_CHARACTERS = 400
"""More would be a list of all that transformers knows."""


def load_pretrained(architecture: Any, folder: Path, *, all_used: bool = False) -> Any:
    """The checkpoint as the transformers class ``architecture``, in float32 whatever precision it is stored in.

    Raises ``BadBundle`` where it is quantised or cannot be read, and where weights are missing or of another shape,
    which transformers would draw at random; with ``all_used`` also where there are more than have a place.
    """
    _check_config(folder)
    disable_progress_bar()
    try:
        model, report = architecture.from_pretrained(
            folder,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused here, by name
        )
    except Exception as error:  # transformers, and what it reads files with, raise what they like
        check_weights(folder)
        raise BadBundle(_cannot_be_loaded(folder, error)) from error
    _check_report(report, folder)
    if all_used and report["unexpected_keys"]:
        unused = ", ".join(sorted(report["unexpected_keys"])[:3])
        raise BadBundle(
            f"the checkpoint '{folder}' has {len(report['unexpected_keys'])} weights that its {CONFIG} has no place "
            f"for, first {unused}: it is of another architecture, or its {CONFIG} is another model's"
        )
    return model.eval()


def _check_config(folder: Path) -> None:
    """``BadBundle`` for what can only fail later, with less clear words."""
    path = folder / CONFIG
    quantised = read_json(path).get("quantization_config")
    if quantised:
        method = quantised.get("quant_method") if isinstance(quantised, Mapping) else quantised
        raise BadBundle(
            f"'{path}' has a quantization_config ('{method}'), and graphs are exported of weights that are not "
            "quantised: take the checkpoint that it was made of, and narrow its bundle with  vlm_ros quantize"
        )
    if path.read_bytes().startswith(codecs.BOM_UTF8):
        raise BadBundle(f"'{path}' begins with a byte order mark, which transformers does not read: save it without")


def _cannot_be_loaded(folder: Path, error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError):
        return (
            f"the weights of '{folder}' are damaged, or a pickle that holds more than tensors, whose code is never run "
            "here: copy them again, or save them as safetensors"
        )
    cause = shorten(f"{type(error).__name__}: {error}", _CAUSE_CHARACTERS, placeholder=" ...")
    return f"the checkpoint '{folder}' cannot be loaded ({cause}): correct its {CONFIG}, or copy or save it again"


def _check_report(report: Mapping[str, Any], folder: Path) -> None:
    if report["mismatched_keys"]:
        name, there, expected = min(report["mismatched_keys"])
        count = len(report["mismatched_keys"])
        raise BadBundle(
            f"the checkpoint '{folder}' has {count} weights of another shape than its {CONFIG} says, "
            f"first {name}: {tuple(there)}, expected {tuple(expected)}; take the {CONFIG} that belongs to them"
        )
    if report["missing_keys"]:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise BadBundle(f"the checkpoint '{folder}' lacks {len(report['missing_keys'])} weights, first {missing}")


def load_checkpoint(folder: Path) -> Any:
    """The checkpoint of any model that reads a picture in its prompt, as ``load_pretrained`` says."""
    return load_pretrained(AutoModelForImageTextToText, folder)
