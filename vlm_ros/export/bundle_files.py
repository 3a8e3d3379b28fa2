"""The text files of a bundle: what a checkpoint brings, under the names that the bundle uses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlm_ros.core.bundle import CONFIG
from vlm_ros.core.card import ModelCard
from vlm_ros.core.config_check import check_config
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.families import card_defaults
from vlm_ros.core.lfs import check_content

REQUIRED = ("config.json", "tokenizer_config.json")
TOKENIZERS = ("tokenizer.json", "vocab.txt")
"""One of them is needed; the second is BERT's, of old checkpoints."""
OPTIONAL = (
    *TOKENIZERS,
    "generation_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
)


def write_bundle_files(checkpoint: Path, folder: Path) -> None:
    """Copy and complete the files beside the graphs; ``BadBundle`` names what the checkpoint lacks."""
    for name in REQUIRED:
        if not (checkpoint / name).is_file():
            raise BadBundle(f"the checkpoint '{checkpoint}' lacks '{name}': save it again with its processor")
    if not any((checkpoint / name).is_file() for name in TOKENIZERS):
        raise BadBundle(f"the checkpoint '{checkpoint}' lacks 'tokenizer.json': save it again with its processor")
    for name in (*REQUIRED, *OPTIONAL):
        if (checkpoint / name).is_file():
            check_content(checkpoint / name)
            shutil.copyfile(checkpoint / name, folder / name)
    template = _processor_config(checkpoint).get("chat_template")
    if template:  # it holds before those in files of their own, as chat_template.json does in a bundle
        write_json(folder / "chat_template.json", {"chat_template": template})
    write_json(folder / "preprocessor_config.json", preprocessor_config(checkpoint))
    write_json(folder / "model_card.json", model_card(checkpoint))


def preprocessor_config(checkpoint: Path) -> dict[str, Any]:
    """The image processor's settings, which newer checkpoints keep inside ``processor_config.json``.

    As for transformers, they hold where an older file lies beside them.
    """
    settings = _processor_config(checkpoint).get("image_processor")
    if isinstance(settings, dict):
        return settings
    path = checkpoint / "preprocessor_config.json"
    if path.is_file():
        return read_json(path)
    raise BadBundle(
        f"the checkpoint '{checkpoint}' has no image processor, neither as 'preprocessor_config.json' nor in "
        "'processor_config.json': save it again with its processor"
    )


def _processor_config(checkpoint: Path) -> dict[str, Any]:
    path = checkpoint / "processor_config.json"
    return read_json(path) if path.is_file() else {}


def model_card(checkpoint: Path) -> dict[str, Any]:
    """The card the checkpoint brings, checked; otherwise its family's, with the checkpoint's name as the source."""
    path = checkpoint / "model_card.json"
    content = read_json(path) if path.is_file() else {"source": checkpoint.resolve().name}
    return ModelCard.from_json({**card_defaults(read_json(checkpoint / "config.json")), **content}).to_json()


def complete_file(path: Path, facts: Mapping[str, Any]) -> None:
    """Write ``facts`` into the object that the file at ``path`` holds, if there is one."""
    write_json(path, {**(read_json(path) if path.is_file() else {}), **facts})


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file of the checkpoint, with or without the mark that some editors put in front."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise BadBundle(
            f"'{path.parent}' has no '{path.name}': give the folder of a whole checkpoint, as transformers saves it"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadBundle(f"'{path}' is not readable JSON ({error})") from error
    if not isinstance(content, dict):
        raise BadBundle(f"'{path}' holds a {type(content).__name__}, expected an object")
    if path.name == CONFIG:
        check_config(content, path)
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write ``content`` the way people read it."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
