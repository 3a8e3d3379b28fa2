"""MiniGPT-4: the eyes of BLIP-2, the words of Vicuna or another Llama, and a matrix trained to join them.

What its authors publish is the matrix alone. Here the three become one checkpoint, file by file, so that no more
than one file of weights is in memory at a time.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer

from vlm_ros.core.card import ModelCard
from vlm_ros.core.errors import BadBundle
from vlm_ros.export.bundle_files import preprocessor_config, read_json, write_json
from vlm_ros.export.weight_files import read_tensors, weight_files

IMAGE = "<image>"

CHAT_TEMPLATE = (
    "{% for part in messages[0].content %}"
    "{% if part.type == 'image' %}{{ bos_token + '###Human: <Img>' + image_token + '</Img> ' }}"
    "{% else %}{{ part.text + ' ###Assistant:' }}{% endif %}"
    "{% endfor %}"
)
"""What MiniGPT-4 was tuned with."""

STOP = "###"
"""The next speaker's turn begins with it."""

_EYES = ("vision_model.", "qformer.", "query_tokens")
_JOINT = {"llama_proj.weight": "language_projection.weight", "llama_proj.bias": "language_projection.bias"}
_WORDS = ("model.embed_tokens.weight", "lm_head.weight")
"""What has a row for each token."""


@contextmanager
def joined_checkpoint(blip2: Path, language_model: Path, projection: Path, beside: Path) -> Iterator[Path]:
    """A checkpoint of the three, in a folder beside ``beside`` that is removed at the end.

    Raises ``BadBundle`` where one of them cannot be read, or they do not fit together.
    """
    folder = beside.resolve().parent / f".{beside.resolve().name}.joined.{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        write_joined(blip2, language_model, projection, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_joined(blip2: Path, language_model: Path, projection: Path, folder: Path) -> None:
    """Write the checkpoint of the three to ``folder``."""
    eyes, text = _config(blip2, "blip-2"), _config(language_model, "llama")
    joint = _joint(projection)
    _check_joint(joint["language_projection.weight"], eyes, text, projection, language_model)
    image_id = _write_tokenizer(language_model, folder)
    words = max(int(text["vocab_size"]), image_id + 1)
    _write_config(eyes, {**text, "vocab_size": words}, image_id, folder)
    write_json(folder / "preprocessor_config.json", preprocessor_config(blip2))
    card = ModelCard(source=f"MiniGPT-4 with {language_model.resolve().name}")
    write_json(folder / "model_card.json", card.to_json())
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    _write_weights(blip2, language_model, joint, words, folder)


def _write_config(eyes: Mapping[str, Any], text: Mapping[str, Any], image_id: int, folder: Path) -> None:
    """What both checkpoints are, and how an answer ends."""
    kept = ("vision_config", "qformer_config", "num_query_tokens")
    config = {name: eyes[name] for name in kept if name in eyes}
    config |= {"model_type": "blip-2", "architectures": ["Blip2ForConditionalGeneration"]}
    config |= {"text_config": text, "image_token_index": image_id}
    write_json(folder / "config.json", config)
    ends = {name: number for name, number in text.items() if name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    write_json(folder / "generation_config.json", {**ends, "stop_strings": [STOP]})


def _config(folder: Path, kind: str) -> dict[str, Any]:
    if not folder.is_dir():
        raise BadBundle(f"no checkpoint folder at '{folder}': give one that holds config.json and the weights")
    config = read_json(folder / "config.json")
    if config.get("model_type") != kind:
        found = config.get("model_type")
        raise BadBundle(f"'{folder}' is a model of the type '{found}': MiniGPT-4 takes a '{kind}' here")
    return config


def _joint(path: Path) -> dict[str, torch.Tensor]:
    """The matrix and its bias, by the names that they get."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the library raises what it likes
        raise BadBundle(f"the projection '{path}' cannot be read ({error}): give MiniGPT-4's .pth file") from error
    weights = content.get("model", content) if isinstance(content, dict) else {}
    missing = sorted(set(_JOINT) - set(weights))
    if missing:
        raise BadBundle(f"the projection '{path}' lacks {missing}: give MiniGPT-4's .pth file")
    return {name: weights[old] for old, name in _JOINT.items()}


def _check_joint(weight: torch.Tensor, eyes: Any, text: Any, projection: Path, language_model: Path) -> None:
    made, wanted = tuple(weight.shape), (text["hidden_size"], eyes["qformer_config"].get("hidden_size", 768))
    if made != wanted:
        raise BadBundle(
            f"the projection '{projection}' has the shape {made}, and '{language_model}' with this BLIP-2 needs "
            f"{wanted}: take the projection that was trained with this language model"
        )


def _write_tokenizer(language_model: Path, folder: Path) -> int:
    """The language model's tokenizer with one token more; its number."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(language_model, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise BadBundle(f"'{language_model}' has no tokenizer that can be read ({error}): copy it again") from error
    tokenizer.add_tokens([IMAGE], special_tokens=True)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    number: int = tokenizer.convert_tokens_to_ids(IMAGE)
    return number


def _write_weights(blip2: Path, language_model: Path, joint: dict[str, torch.Tensor], words: int, folder: Path) -> None:
    """One file for each that is read, and the index that says what is where."""
    shards: dict[str, str] = {}
    total_bytes = 0
    for number, shard in enumerate(_shards(blip2, language_model, joint, words)):
        name = f"model-{number:05d}.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in shard.items()}, folder / name, {"format": "pt"})
        shards.update(dict.fromkeys(shard, name))
        total_bytes += sum(tensor.nbytes for tensor in shard.values())
    index = {"metadata": {"total_size": total_bytes}, "weight_map": shards}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def _shards(
    blip2: Path, language_model: Path, joint: dict[str, torch.Tensor], words: int
) -> Iterator[dict[str, torch.Tensor]]:
    yield joint
    for file in weight_files(blip2):
        yield dict(read_tensors(file, _EYES))
    for file in weight_files(language_model):
        yield {
            f"language_model.{name}": _with_rows(tensor, words) if name in _WORDS else tensor
            for name, tensor in read_tensors(file, ("model.", "lm_head."))
        }


def _with_rows(table: torch.Tensor, rows: int) -> torch.Tensor:
    """``table`` with rows up to ``rows``: the mean of all others, which is never the likeliest token."""
    more = rows - len(table)
    if more <= 0:
        return table
    mean = table.float().mean(dim=0, keepdim=True).to(table.dtype)
    return torch.cat([table, mean.expand(more, -1)])
