"""FastVLM as it lies on the hub: nanoLLaVA's type and parts, pictures of 1024 pixels, 256 features, Qwen2's template.

Its vision encoder is played by one convolution; the rest is the tiny LLaVA.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bad_inputs
import numpy as np
import onnxruntime
import pytest
from PIL import Image

onnx = pytest.importorskip("onnx", exc_type=ImportError)

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from vlm_ros.core.answer import FreeText  # noqa: E402
from vlm_ros.core.bundle import Bundle  # noqa: E402
from vlm_ros.core.families import family_of  # noqa: E402
from vlm_ros.core.frame import Frame  # noqa: E402
from vlm_ros.models.loading import load_model  # noqa: E402
from vlm_ros.models.picture_model import PictureModel  # noqa: E402

SIDE_PX, PATCH_PX, WIDTH = 1024, 64, 32
HALF_CHARACTER = "\N{REPLACEMENT CHARACTER}"
QUESTION = "Is there a red ball?"
TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONFIG = {
    "architectures": ["LlavaQwen2ForCausalLM"], "model_type": "llava_qwen2", "eos_token_id": 2,
    "image_aspect_ratio": "pad", "image_grid_pinpoints": None, "image_token_index": 4, "vision_config": {},
    "max_position_embeddings": 32768, "mm_vision_tower": "mobileclip_l_1024", "mm_hidden_size": 3072,
    "hidden_size": WIDTH, "vocab_size": 352,
}  # fmt: skip
PICTURES = {
    "image_processor_type": "CLIPImageProcessor", "processor_class": "LlavaProcessor", "do_convert_rgb": True,
    "do_resize": True, "size": {"shortest_edge": SIDE_PX}, "resample": 3,
    "do_center_crop": True, "crop_size": {"height": SIDE_PX, "width": SIDE_PX}, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0],
}  # fmt: skip
PROCESSOR = {"image_token": "<image>", "patch_size": PATCH_PX, "num_additional_image_tokens": 0}


@pytest.fixture
def fastvlm(folder: Path) -> Path:
    """The tiny LLaVA in FastVLM's clothes."""
    onnx.save(convolution(), folder / "onnx" / "vision_encoder.onnx")
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text()) | {"chat_template": TEMPLATE}
    files = {"config": CONFIG, "preprocessor_config": PICTURES, "processor_config": PROCESSOR}
    for name, content in {**files, "tokenizer_config": tokenizer}.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "chat_template.jinja").unlink()
    return folder


def convolution() -> Any:
    """``pixel_values`` (batch, 3, 1024, 1024) to ``image_features`` (batch, 256, width): a vector for each patch."""
    drawn = np.random.default_rng(0)
    colors, places = drawn.normal(size=(WIDTH, 3, 1, 1)), drawn.normal(size=(WIDTH, 3, PATCH_PX, PATCH_PX))
    weight = (colors + 0.5 * places).astype(np.float32) / PATCH_PX**2
    shape = np.array([0, WIDTH, (SIDE_PX // PATCH_PX) ** 2], np.int64)
    nodes = [
        helper.make_node("Conv", ["pixel_values", "weight"], ["patches"], strides=[PATCH_PX] * 2),
        helper.make_node("Reshape", ["patches", "shape"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["image_features"], perm=[0, 2, 1]),
    ]
    pixels = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, SIDE_PX, SIDE_PX])
    features = helper.make_tensor_value_info("image_features", TensorProto.FLOAT, ["batch", 256, WIDTH])
    constants = [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(shape, "shape")]
    graph = helper.make_graph(nodes, "vision", [pixels], [features], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def picture(seed: int = 5) -> np.ndarray:
    """Noise around a colour of its own."""
    drawn = np.random.default_rng(seed)
    return (drawn.integers(0, 180, 3) + drawn.integers(0, 76, (40, 61, 3))).astype(np.uint8)


def squared(rgb: np.ndarray) -> np.ndarray:
    """``rgb`` in the middle of a black square, at the size that the encoder takes, between 0 and 1."""
    side = max(rgb.shape[:2])
    square = Image.new("RGB", (side, side))
    square.paste(Image.fromarray(rgb), ((side - rgb.shape[1]) // 2, (side - rgb.shape[0]) // 2))
    large = square.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
    return np.asarray(large, np.float32).transpose(2, 0, 1)[None] / 255


def expected_text(model: PictureModel, folder: Path, pixels: np.ndarray, tokens: int) -> str:
    """What the graphs decode when they read all embeddings anew for each token."""
    vision, embed, decoder = (
        onnxruntime.InferenceSession(folder / "onnx" / f"{part}.onnx", providers=["CPUExecutionProvider"])
        for part in ("vision_encoder", "embed_tokens", "decoder_model_merged")
    )
    start, end = "<|im_start|>", "<|im_end|>\n"
    before = f"{start}system\nYou are a helpful assistant.{end}{start}user\n"
    after = f"\n{QUESTION}{end}{start}assistant\n"

    def embedded(ids: list[int]) -> np.ndarray:
        return embed.run(None, {"input_ids": np.array([ids])})[0]

    encode, answer = model.language.tokenizer.encode, []
    features = vision.run(None, {"pixel_values": pixels})[0]
    prompt = encode(f"{before}<image>{after}", frame=True)
    place = prompt.index(CONFIG["image_token_index"])
    embeds = np.concatenate([embedded(prompt[:place]), features, embedded(prompt[place + 1 :])], axis=1)
    empty = {each.name: np.zeros((1, each.shape[1], 0, each.shape[3]), np.float32) for each in decoder.get_inputs()[3:]}
    while len(answer) < tokens:
        count = embeds.shape[1]
        feeds = {"attention_mask": np.ones((1, count), np.int64), "position_ids": np.arange(count)[None]}
        logits = decoder.run(["logits"], {"inputs_embeds": embeds, **feeds, **empty})[0]
        answer.append(int(logits[0, -1].argmax()))
        embeds = np.concatenate([embeds, embedded(answer[-1:])], axis=1)
    return model.language.tokenizer.decode(answer)


def test_family_is_nanollavas() -> None:
    assert family_of(CONFIG, "folder").module == "nanollava"


def test_answers_are_those_of_the_graphs_on_a_black_square(fastvlm: Path) -> None:
    model = load_model(Bundle(fastvlm), threads=1)
    try:
        texts = [model.observe(Frame(picture(seed))).ask(QUESTION, FreeText(max_tokens=8)).text for seed in range(6)]
        wanted = [expected_text(model, fastvlm, squared(picture(seed)), 8) for seed in range(6)]
        assert len(model.see(Frame(picture())).features) == 256
    finally:
        model.close()
    assert [text.rstrip(HALF_CHARACTER) for text in texts] == [text.rstrip(HALF_CHARACTER).lstrip() for text in wanted]
    assert len(set(texts)) > 3


def test_pixels_are_those_of_a_black_square(fastvlm: Path) -> None:
    model = load_model(Bundle(fastvlm), threads=1)
    try:
        (view,) = model.look(Frame(picture())).views
    finally:
        model.close()
    np.testing.assert_allclose(view["pixel_values"], squared(picture()), atol=1e-6)


def test_picture_is_cropped_when_the_configuration_names_no_border(fastvlm: Path) -> None:
    (fastvlm / "config.json").write_text(json.dumps(CONFIG | {"image_aspect_ratio": None}))
    model = load_model(Bundle(fastvlm), threads=1)
    try:
        (view,) = model.look(Frame(picture())).views
    finally:
        model.close()
    assert np.abs(view["pixel_values"] - squared(picture())).max() > 0.1


def test_bad_input_is_refused_with_the_reason_or_answered(fastvlm: Path, tmp_path: Path) -> None:
    (fastvlm / "config.json").write_text(json.dumps(CONFIG | {"max_position_embeddings": 512}))
    model = load_model(Bundle(fastvlm), threads=1)
    bad_inputs.check_speaking(model)
    model.close()
    bad_inputs.check_vocabulary(Bundle(fastvlm), tmp_path)
