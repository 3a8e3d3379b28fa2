"""nanoLLaVA as it lies on the hub: a flat configuration, a template for plain text, `<image>` that is no token."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import bad_inputs
import numpy as np
import pytest
from PIL import Image

from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.frame import Frame
from vlm_ros.models.loading import load_model

TINY = Path(__file__).parents[2] / "bundles" / "tiny_llava"
TEMPLATE = "{% for message in messages %}{{ message['role'].upper() + ': ' + message['content'] + ' ' }}{% endfor %}"
AFTER = "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tiny LLaVA in nanoLLaVA's clothes."""
    folder = tmp_path / "nano"
    shutil.copytree(TINY, folder)
    config = json.loads((folder / "config.json").read_text())
    flat = {"model_type": "llava-qwen2", "image_token_index": -200, "eos_token_id": 2}
    (folder / "config.json").write_text(json.dumps(flat | {"max_position_embeddings": 256} | {"vocab_size": 352}))
    assert config["image_token_index"] == 4
    (folder / "chat_template.jinja").write_text(TEMPLATE + AFTER)
    (folder / "generation_config.json").unlink()
    return folder


def without_image_token(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] != "<image>"]
    content["model"]["vocab"]["<was image>"] = content["model"]["vocab"].pop("<image>")
    (folder / "tokenizer.json").write_text(json.dumps(content))


def answer(folder: Path, rgb: np.ndarray) -> str:
    model = load_model(Bundle(folder), threads=1)
    try:
        return model.observe(Frame(rgb)).ask("Is there a red ball?", FreeText(max_tokens=8)).text
    finally:
        model.close()


def picture() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (40, 61, 3), dtype=np.uint8)


@pytest.mark.parametrize("has_token", [True, False], ids=["a token", "a text"])
def test_answers_are_those_of_llava_when_image_is(folder: Path, has_token: bool) -> None:
    if not has_token:
        without_image_token(folder)
    assert answer(folder, picture()) == answer(TINY, picture())


def test_picture_is_made_square_in_the_mean_colour_when_the_configuration_says_so(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"image_aspect_ratio": "pad"}))
    mean = json.loads((folder / "preprocessor_config.json").read_text())["image_mean"]
    square = Image.new("RGB", (61, 61), tuple(int(255 * value) for value in mean))
    square.paste(Image.fromarray(picture()), (0, (61 - 40) // 2))
    assert answer(folder, picture()) == answer(TINY, np.asarray(square)) != answer(TINY, picture())


def test_bad_input_is_refused_with_the_reason_or_answered(folder: Path, tmp_path: Path) -> None:
    model = load_model(Bundle(folder), threads=1)
    bad_inputs.check_speaking(model)
    model.close()
    bad_inputs.check_vocabulary(Bundle(folder), tmp_path)
