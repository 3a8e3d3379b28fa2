"""A model as a folder, in the layout of the ONNX repositories on the Hugging Face hub.

    config.json  preprocessor_config.json  tokenizer.json  generation_config.json
    chat_template.jinja (or inside tokenizer_config.json)  model_card.json (ours, optional)
    onnx/vision_encoder.onnx  onnx/embed_tokens.onnx  onnx/decoder_model_merged.onnx

A precision is a suffix of the part's file name: ``onnx/decoder_model_merged_q4.onnx``. Bundles that others
exported name their files otherwise, which ``core.onnx_files`` knows.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vlm_ros.core.card import ModelCard
from vlm_ros.core.config_check import check_config
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.families import JOINT, card_defaults, known_parts, parts_in_joint
from vlm_ros.core.lfs import check_content
from vlm_ros.core.onnx_files import MADE_HERE, PRECISIONS, onnx_files

__all__ = ["AUTO", "PRECISIONS", "Bundle"]

CONFIG = "config.json"

AUTO = "auto"
"""Stands for the precision that was chosen for each part on this device."""


@dataclass(frozen=True)
class Bundle:
    """The files of one model; reading is lazy, so that a wrong file is named when it is needed."""

    folder: Path

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise BadBundle(f"no model folder at '{self.folder}': give a bundle that holds config.json and onnx/")

    @property
    def name(self) -> str:
        """The folder's name, which names the model everywhere."""
        return self.folder.resolve().name

    def json(self, name: str) -> dict[str, Any]:
        """The object in the JSON file ``name``."""
        path = self.file(name)
        try:
            content = json.loads(self.text(name))
        except (ValueError, RecursionError) as error:
            raise BadBundle(f"'{path}' is not readable JSON ({error}): export or copy the bundle again") from error
        if not isinstance(content, dict):
            raise BadBundle(f"'{path}' holds a {type(content).__name__}, expected an object")
        if name == CONFIG:
            check_config(content, path)
        return content

    def text(self, name: str) -> str:
        """The text file ``name``, without the mark that some editors put in front."""
        path = self.file(name)
        try:
            return path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise BadBundle(f"'{path}' is not readable text in UTF-8 ({error}): save or copy it again") from error

    def optional_json(self, name: str) -> dict[str, Any]:
        """As ``json``, and empty where the file is missing; a link to nothing is an error."""
        return self.json(name) if os.path.lexists(self.folder / name) else {}

    def file(self, name: str) -> Path:
        """The path of ``name``, which must exist."""
        path = self.folder / name
        _check_link(path)
        if not path.is_file():
            raise BadBundle(f"the bundle '{self.folder}' lacks '{name}': export or copy it again")
        check_content(path)
        return path

    @cached_property
    def config(self) -> dict[str, Any]:
        """``config.json``."""
        return self.json(CONFIG)

    @cached_property
    def card(self) -> ModelCard:
        """``model_card.json``, and what the family's cards say where it is silent or missing."""
        defaults = card_defaults(self.optional_json(CONFIG))
        return ModelCard.from_json({**defaults, **self.optional_json("model_card.json")})

    @cached_property
    def image_processor(self) -> dict[str, Any]:
        """The image processor's settings, which newer bundles keep inside ``processor_config.json``.

        As for transformers, they hold where an older file lies beside them.
        """
        settings = self.optional_json("processor_config.json").get("image_processor")
        return settings if isinstance(settings, dict) else self.json("preprocessor_config.json")

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the ONNX parts, without precision suffix, sorted."""
        return tuple(sorted(self._files()))

    def precisions(self, part: str) -> tuple[str, ...]:
        """What there is of ``part``, the most faithful first."""
        return tuple(self._files().get(part, {}))

    def best_precision(self, part: str, preferred: str = "") -> str:
        """The precision that ``part`` is run at: ``preferred`` where there is such a file, or it is missed beside fp32.

        Else the most faithful that there is: bundles that others exported may have another set for each part, and
        nothing is missed where only other parts have ``preferred`` and it cannot be made.
        """
        there = self.precisions(part)
        if preferred in there or (preferred and "fp32" in there and not self._is_of_others(preferred)):
            return preferred
        return next(iter(there), "fp32")

    def onnx(self, part: str, precision: str = "fp32") -> Path:
        """The ONNX file of ``part`` at ``precision``."""
        files = self._files().get(part, {})
        if precision in files:
            _check_link(files[precision])
            check_content(files[precision])
            return files[precision]
        if "fp32" in files and self._can_be_made(precision):
            missing = self.folder / "onnx" / f"{part}_{precision}.onnx"
            raise BadBundle(f"no '{missing}': make it with  vlm_ros quantize {self.folder} --precision {precision}")
        if files and precision == "fp32":  # which is asked for by what makes or compares others, not by a user
            raise BadBundle(
                f"'{self.folder}' has '{part}' at {', '.join(files)}, and lacks fp32, which other precisions are made "
                "of and compared with: get it from where the model comes from, or make it of the checkpoint "
                "(vlm_ros export CHECKPOINT --out DIR); what is there is run as it is, and built by  "
                f"vlm_ros build {self.folder}"
            )
        if files:
            raise BadBundle(
                f"'{self.folder}' has '{part}' at {', '.join(files)}, not at {precision}: choose one of these"
            )
        self.refuse_checkpoint()
        there = ", ".join(sorted(path.name for path in self.folder.rglob("*.onnx"))) or "none"
        raise BadBundle(
            f"the bundle '{self.folder}' lacks 'onnx/{part}.onnx' (of ONNX files it has: {there}): "
            "export or copy it again, or call the file that it is so"
        )

    def refuse_checkpoint(self) -> None:
        """``BadBundle`` naming the way to a bundle where there are weights as transformers keeps them, and no graph."""
        weights = [*self.folder.glob("model*.safetensors"), *self.folder.glob("pytorch_model*.bin")]
        if weights and not any(self.folder.rglob("*.onnx")):
            raise BadBundle(
                f"'{self.folder}' is a checkpoint and has no ONNX files: make a bundle of it with  "
                f"vlm_ros export {self.folder} --out DIR  and give DIR here"
            )

    def _is_of_others(self, precision: str) -> bool:
        """Whether some part comes at ``precision``, and those that do not must be run at another."""
        return not self._can_be_made(precision) and any(precision in files for files in self._run_files())

    def _can_be_made(self, precision: str) -> bool:
        """Whether ``vlm_ros quantize`` makes ``precision``, for which it needs every part at fp32."""
        return precision in MADE_HERE and all("fp32" in files for files in self._run_files())

    def _run_files(self) -> list[dict[str, Path]]:
        """By precision, the files of each part that the family of this bundle is run from."""
        there, known = self._files(), known_parts(self.optional_json(CONFIG))
        return [there[part] for part in known if part in there]

    def _files(self) -> dict[str, dict[str, Path]]:
        config = self.optional_json(CONFIG)
        files, apart = onnx_files(self.folder, known_parts(config)), parts_in_joint(config)
        if apart and set(apart) <= set(files):
            files.pop(JOINT, None)  # nobody runs it beside the parts that it is made of
        return files


def _check_link(path: Path) -> None:
    """``BadBundle`` where ``path`` links to nothing: the hub's cache keeps the files elsewhere."""
    if path.is_symlink() and not path.exists():
        raise BadBundle(f"'{path}' links to a file that is not there: copy the bundle with what it links to (cp -rL)")
