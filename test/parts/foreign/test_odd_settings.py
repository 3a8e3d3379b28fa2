"""Settings that somebody wrote by hand, or saved otherwise, are read as they are meant or refused by name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vlm_ros.build.packing import pack
from vlm_ros.build.wanted import chosen_parts
from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.frame import Frame
from vlm_ros.models.loading import load_model

TINY = Path(__file__).parents[2] / "bundles" / "tiny_llava"
TEMPLATE = (TINY / "chat_template.jinja").read_text(encoding="utf-8")
TEXTS = ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja")
CONFIG, GENERATION, PICTURES, CARD, TOKENS = (
    *("config.json", "generation_config.json", "preprocessor_config.json"),
    *("model_card.json", "tokenizer_config.json"),
)


def answer(folder: Path) -> str:
    model = load_model(Bundle(folder), threads=1)
    try:
        frame = Frame(np.random.default_rng(5).integers(0, 256, (40, 60, 3), dtype=np.uint8))
        return model.observe(frame).ask("Is there a red ball?", FreeText(max_tokens=8)).text
    finally:
        model.close()


@pytest.fixture(scope="module")
def ours() -> str:
    return answer(TINY)


def setting(folder: Path, name: str, key: str, value: Any) -> None:
    path = folder / name
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps({**content, key: value}), encoding="utf-8")


@pytest.mark.parametrize("name", [*TEXTS, PICTURES])
def test_file_is_read_when_an_editor_put_a_mark_in_front(name: str, folder: Path, ours: str) -> None:
    (folder / name).write_text((folder / name).read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert answer(folder) == ours


@pytest.mark.parametrize("name", [*TEXTS, PICTURES, CARD])
@pytest.mark.parametrize("spoil", ["utf-16", "cut"])
def test_file_is_named_when_it_is_no_text_in_utf_8(name: str, spoil: str, folder: Path) -> None:
    content = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_bytes(content.encode("utf-16") if spoil == "utf-16" else content.encode() + b"\xe9")
    with pytest.raises(BadBundle, match=f"{name}' is not readable text in UTF-8"):
        answer(folder)


def as_the_hub_caches_it(folder: Path) -> None:
    """Files that are links to blobs elsewhere."""
    blobs = folder.parent / "blobs"
    blobs.mkdir()
    for number, path in enumerate([path for path in folder.rglob("*") if path.is_file()]):
        path.rename(blobs / str(number))
        path.symlink_to(os.path.relpath(blobs / str(number), path.parent))


def with_named_templates(folder: Path, templates: Any) -> None:
    (folder / "chat_template.jinja").unlink()
    setting(folder, TOKENS, "chat_template", templates)


READ: dict[str, Callable[[Path], object]] = {
    "links": as_the_hub_caches_it,
    "templates in a list": lambda folder: with_named_templates(folder, [{"name": "default", "template": TEMPLATE}]),
    "templates in an object": lambda folder: with_named_templates(folder, {"default": TEMPLATE, "tools": "x"}),
}


@pytest.mark.parametrize("form", READ)
def test_answers_are_ours_when_a_bundle_is_kept_otherwise(form: str, folder: Path, ours: str) -> None:
    READ[form](folder)
    assert answer(folder) == ours


WRONG: list[tuple[str, str, Any, str]] = [
    (CONFIG, "text_config", "llama", "'text_config': 'llama', expected an object"),
    (CONFIG, "vision_config", [1], r"'vision_config': \[1\], expected an object"),
    (CONFIG, "architectures", 5, "'architectures': 5, expected a list"),
    (CONFIG, "architectures", [{}], r"'architectures': \[{}\], expected a list of names"),
    (CONFIG, "image_token_index", True, "'image_token_index': True, expected the number"),
    (CONFIG, "image_token_index", 2**70, "'image_token_index': 118.*, expected the number"),
    (CONFIG, "text_config", {"max_position_embeddings": -3}, "'max_position_embeddings': -3, expected a number"),
    (CONFIG, "max_position_embeddings", "many", "'max_position_embeddings': 'many', expected a number"),
    (GENERATION, "eos_token_id", [], r"'eos_token_id': \[\], expected the number"),
    (GENERATION, "eos_token_id", [[2]], r"'eos_token_id': \[\[2\]\], expected the number"),
    (GENERATION, "eos_token_id", [2, None], r"'eos_token_id': \[2, None\], expected the number"),
    (GENERATION, "eos_token_id", True, "'eos_token_id': True, expected the number"),
    (GENERATION, "eos_token_id", [2, 352], r"'eos_token_id': \[2, 352\], expected the number of one of its 352 tokens"),
    (GENERATION, "eos_token_id", 2**40, "'eos_token_id': 1099511627776, expected the number"),
    (GENERATION, "stop_strings", 5, "'stop_strings': 5, expected a text"),
    (GENERATION, "suppress_tokens", 5, "'suppress_tokens': 5, expected a list"),
    (GENERATION, "suppress_tokens", ["no"], r"'suppress_tokens': \['no'\], expected a list"),
    (GENERATION, "repetition_penalty", 0, "'repetition_penalty': 0, expected a number above 0"),
    (GENERATION, "repetition_penalty", "1.05", "'repetition_penalty': '1.05', expected a number"),
    (GENERATION, "repetition_penalty", float("nan"), "'repetition_penalty': nan, expected a number"),
    (PICTURES, "image_mean", [float("nan")] * 3, r"'image_mean': \[nan, .*expected three numbers"),
    (PICTURES, "rescale_factor", 0, "'rescale_factor': 0.0, which makes all pictures alike"),
    (PICTURES, "rescale_factor", float("inf"), "'rescale_factor': inf, expected a number"),
    (TOKENS, "added_tokens_decoder", {"x": {"content": "a"}}, "tokenizer_config.json .*'x'"),
    (TOKENS, "added_tokens_decoder", {"400": {"content": 5}}, "tokenizer_config.json .*'400'"),
    (TOKENS, "added_tokens_decoder", [5], "tokenizer_config.json .*the number of a token"),
    (CARD, "max_tokens", 0, "max_tokens 0: give a whole number"),
    (CARD, "describe_prompt", 5, "describe_prompt 5: give a text"),
    (CARD, "near_m", "far", "near_m 'far': give a number"),
    (CARD, "target_words", "ball", "target_words 'ball': give a list of texts"),
    (CARD, "gates", 5, "gates 5: give an object"),
]


@pytest.mark.parametrize(("name", "key", "value", "said"), WRONG)
def test_value_is_named_when_it_is_none(name: str, key: str, value: Any, said: str, folder: Path) -> None:
    setting(folder, name, key, value)
    with pytest.raises(BadBundle, match=said):
        answer(folder)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ("{% for i in range(10**9) %}x{% endfor %}", "OverflowError"),
        ("{{ raise_exception('no images') }}", "no images"),
    ],
)
def test_template_is_refused_when_it_fails(template: str, said: str, folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(BadBundle, match=f"chat template fails .*{said}"):
        answer(folder)


@pytest.mark.parametrize("templates", [5, [5], [{"name": "tools", "template": TEMPLATE}], {"tools": TEMPLATE}])
def test_templates_are_refused_when_none_is_the_default(templates: Any, folder: Path) -> None:
    with_named_templates(folder, templates)
    with pytest.raises(BadBundle, match=r"tokenizer_config.json has 'chat_template': .*called default"):
        answer(folder)


@pytest.mark.parametrize("other", ["tokenizer.model", "vocab.json"])
def test_way_out_is_named_when_the_tokenizer_has_another_format(other: str, folder: Path) -> None:
    (folder / "tokenizer.json").rename(folder / other)
    with pytest.raises(BadBundle, match=rf"its tokenizer as '{other}'.*save_pretrained"):
        answer(folder)


def test_files_that_are_there_are_named_when_a_part_is_missing(folder: Path) -> None:
    (folder / "onnx" / "decoder_model_merged.onnx").rename(folder / "onnx" / "text_decoder.onnx")
    with pytest.raises(BadBundle, match=r"lacks 'onnx/decoder_model_merged.onnx' .*text_decoder\.onnx.*call the file"):
        answer(folder)


@pytest.mark.parametrize(
    "use",
    [
        answer,
        lambda folder: chosen_parts(Bundle(folder), ()),
        lambda folder: pack(Bundle(folder), folder / "packed.tar"),
    ],
)
def test_export_is_named_when_a_checkpoint_stands_for_a_bundle(use: Callable[[Path], Any], folder: Path) -> None:
    shutil.rmtree(folder / "onnx")
    (folder / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(BadBundle, match=f"is a checkpoint .*vlm_ros export {folder} --out DIR"):
        use(folder)


def test_configuration_is_refused_when_it_is_nested_beyond_reading(folder: Path) -> None:
    (folder / CONFIG).write_text("[" * 100_000)
    with pytest.raises(BadBundle, match=r"config.json' is not readable JSON"):
        answer(folder)
