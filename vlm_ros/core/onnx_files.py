"""Which ONNX file of a folder is which part, at which precision: exporters give them many names.

A part's file is called after it, a precision being a suffix: ``decoder_model_merged_q4.onnx``. It lies in ``onnx/`` or
in the folder itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

PRECISIONS = ("fp32", "fp16", "int8", "uint8", "quantized", "q4", "q4f16", "bnb4", "qdq")
"""Suffixes that the hub uses, the most faithful first: the order in which a file is chosen where nobody says which.
Others come after these."""

MADE_HERE = tuple(precision for precision in PRECISIONS if precision not in ("fp32", "uint8", "bnb4"))
"""The precisions that ``vlm_ros quantize`` makes; it looks at the model at work, in fp32, for each of them."""

OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "vision_encoder": ("vision", "visual", "vision_model", "image_encoder", "vision_tower", "embed_images"),
    "embed_tokens": ("embedding", "embeddings", "embed", "text_embeddings", "prepare_inputs_embeds"),
    "decoder_model_merged": ("decoder_model", "decoder", "language_model", "text_model", "llm", "model"),
}
"""What others call a part, where no file has its own name."""

ONE_FILE_BYTES = 1_500_000_000
"""A graph with more weights keeps them beside it, in ``<file>.data``: a protocol buffer ends at 2 GiB."""

DECODER = "decoder_model_merged"
WITH_PAST = "decoder_with_past_model"
"""The second half of a decoder that was exported in two graphs; the first is ``decoder_model``."""


def onnx_files(folder: Path, parts: Iterable[str]) -> dict[str, dict[str, Path]]:
    """The files of each part by precision, the most faithful first.

    ``parts`` are the names that a bundle of its family has; files with other names are parts of their own.
    """
    wanted = tuple(parts)
    stems = {path.stem: path for place in (folder, folder / "onnx") for path in sorted(place.glob("*.onnx"))}
    names = {*wanted, WITH_PAST, *(other for part in wanted for other in OTHER_NAMES.get(part, ()))}
    found: dict[str, dict[str, Path]] = {}
    for stem, path in stems.items():
        name, precision = _split(stem, names)
        found.setdefault(name, {})[precision] = path
    if DECODER in found:
        found.pop(WITH_PAST, None)
    for part in wanted:
        _take_other_name(found, part, wanted)
    return {part: _in_order(files) for part, files in found.items()}


def _take_other_name(found: dict[str, dict[str, Path]], part: str, wanted: tuple[str, ...]) -> None:
    for other in OTHER_NAMES.get(part, ()):
        if part not in found and other in found and other not in wanted:
            found[part] = found.pop(other)


def _split(stem: str, names: set[str]) -> tuple[str, str]:
    """The part and the precision in a file's name; what follows a part's name is a precision, known or not."""
    known = [name for name in names if stem == name or stem.startswith(f"{name}_")]
    name = max(known, key=len) if known else _without_precision(stem)
    return name, stem[len(name) + 1 :] or PRECISIONS[0]


def _without_precision(stem: str) -> str:
    for precision in PRECISIONS:
        stem = stem[: -len(precision) - 1] if stem.endswith(f"_{precision}") else stem
    return stem


def _in_order(files: Mapping[str, Path]) -> dict[str, Path]:
    def rank(precision: str) -> tuple[int, str]:
        return (PRECISIONS.index(precision) if precision in PRECISIONS else len(PRECISIONS)), precision

    return {precision: files[precision] for precision in sorted(files, key=rank)}
