"""A transformers checkpoint as a model that is ready for inference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText
from transformers.utils.logging import disable_progress_bar

from vlm_ros.core.errors import BadBundle


def load_pretrained(architecture: Any, folder: Path) -> Any:
    """The checkpoint as the transformers class ``architecture``, in float32 whatever precision it is stored in.

    Raises ``BadBundle`` where weights are missing, which transformers would draw at random.
    """
    disable_progress_bar()
    try:
        model, report = architecture.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise BadBundle(f"the checkpoint '{folder}' cannot be loaded ({error}): copy or save it again") from error
    if report["missing_keys"]:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise BadBundle(f"the checkpoint '{folder}' lacks {len(report['missing_keys'])} weights, first {missing}")
    return model.eval()


def load_checkpoint(folder: Path) -> Any:
    """The checkpoint of any model that reads a picture in its prompt, as ``load_pretrained`` says."""
    return load_pretrained(AutoModelForImageTextToText, folder)
