"""A MiniGPT-4 joined of three answers as transformers does from the joined weights."""

from __future__ import annotations

import json
from contextlib import contextmanager

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import torch
from PIL import Image
from tiny_blip2 import QUERIES, make_blip2, make_processor
from transformers import AutoProcessor, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from vlm_ros.cli import main
from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.frame import Frame
from vlm_ros.export import blip2
from vlm_ros.export.minigpt4 import STOP, joined_checkpoint
from vlm_ros.models.loading import load_model

WIDTH, QUERY_WIDTH = 48, 24
NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
QUESTION = "Where is the red ball?"


@pytest.fixture(scope="module")
def three(tmp_path_factory, tiny):
    """The folders of a BLIP-2 and a Llama, and the file of a projection."""
    folder = tmp_path_factory.mktemp("minigpt4")
    make_blip2(folder / "blip2", tiny, "opt")
    write_llama(folder / "llama", tiny)
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(WIDTH, QUERY_WIDTH, generator=generator) * 0.3
    projection = {"llama_proj.weight": weight, "llama_proj.bias": torch.randn(WIDTH, generator=generator) * 0.1}
    torch.save({"model": projection}, folder / "projection.pth")
    return folder / "blip2", folder / "llama", folder / "projection.pth"


def write_llama(folder, tiny):
    """A Llama in several files, whose tokenizer has no token for pictures and no words to spare."""
    tokenizer = make_processor(tiny, "<s> $A").tokenizer
    numbers = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "vocab_size": len(tokenizer)}
    sizes = {"hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 2, "max_position_embeddings": 256}
    model = LlamaForCausalLM(LlamaConfig(**sizes, **numbers, num_attention_heads=4, num_key_value_heads=2))
    tiny["draw_weights"](model, torch.Generator().manual_seed(1))
    model.half().save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    text = tokenizer.backend_tokenizer.to_str().replace('"<image>"', '"<extra>"')
    tokenizer.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(text)


@pytest.fixture(scope="module")
def bundle(three, tmp_path_factory):
    eyes, words, projection = map(str, three)
    out = tmp_path_factory.mktemp("bundle") / "minigpt4"
    assert main(["export", eyes, "--language-model", words, "--projection", projection, "--out", str(out)]) == 0
    assert [path.name for path in out.parent.iterdir()] == ["minigpt4"], "nothing is left of the joining"
    return Bundle(out)


@contextmanager
def opened(bundle, **options):
    model = load_model(bundle, **options)
    yield model.observe(Frame(NOISE))
    model.close()


@pytest.fixture(scope="module")
def expected(three, tmp_path_factory):
    """Tokens that transformers answers with the joined weights, from a prompt that is written out here."""
    with joined_checkpoint(*three, tmp_path_factory.mktemp("joined") / "out") as folder:
        model, tokenizer = blip2.load_checkpoint(folder), AutoTokenizer.from_pretrained(folder)
        processor = AutoProcessor.from_pretrained(three[0])
        prompt = f"<s>###Human: <Img>{'<image>' * QUERIES}</Img> {QUESTION} ###Assistant:"
        inputs = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
        pixels = processor(images=Image.fromarray(NOISE), return_tensors="pt")["pixel_values"]
        answer = model.generate(**inputs, pixel_values=pixels, max_new_tokens=32, do_sample=False)
        new = answer[0, inputs["input_ids"].shape[1] :]
        return tokenizer.decode(new, skip_special_tokens=True).strip().rstrip("\N{REPLACEMENT CHARACTER}")


def test_answer_equals_the_one_of_the_joined_checkpoint(bundle, expected):
    with opened(bundle) as observation:
        answer = observation.ask(QUESTION, FreeText(max_tokens=32)).text
    assert answer.strip() == expected
    assert len(set(answer)) > 8


def test_answer_ends_where_the_next_speaker_begins(bundle, expected, tmp_path):
    path = bundle.folder / "generation_config.json"
    content = path.read_text()
    assert json.loads(content)["stop_strings"] == [STOP]
    mark = expected[6:9]
    try:
        path.write_text(json.dumps(json.loads(content) | {"stop_strings": [mark]}))
        with opened(bundle) as observation:
            answer = observation.ask(QUESTION, FreeText(max_tokens=32))
    finally:
        path.write_text(content)
    assert answer.complete
    assert answer.text.strip() == expected[: expected.index(mark)].strip()


def test_int8_weights_answer_too(bundle, tmp_path):
    (tmp_path / "images").mkdir()
    Image.fromarray(NOISE).save(tmp_path / "images/noise.png")
    images = ["--images", str(tmp_path / "images"), "--pictures", "1"]
    assert main(["quantize", str(bundle.folder), "--precision", "int8", *images]) == 0
    with opened(bundle, precision="int8") as observation:
        assert observation.ask(QUESTION, FreeText(max_tokens=8)).tokens == 8


def test_a_projection_of_another_size_is_refused_with_both_sizes(three, tmp_path):
    eyes, words, _ = three
    weights = {"llama_proj.weight": torch.zeros(40, QUERY_WIDTH), "llama_proj.bias": torch.zeros(40)}
    torch.save(weights, tmp_path / "other.pth")
    with (
        pytest.raises(BadBundle, match=r"\(40, 24\).*\(48, 24\)"),
        joined_checkpoint(eyes, words, tmp_path / "other.pth", tmp_path / "out"),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["other.pth"]


@pytest.mark.parametrize(("which", "said"), [((0, 0, 2), "'blip-2'.*takes a 'llama'"), ((1, 1, 2), "takes a 'blip-2'")])
def test_folders_of_other_models_are_refused(three, tmp_path, which, said):
    parts = [three[place] for place in which]
    with pytest.raises(BadBundle, match=said), joined_checkpoint(*parts, tmp_path / "out"):
        pass


def test_files_that_are_no_projection_are_refused(three, tmp_path):
    (tmp_path / "text.pth").write_text("not weights")
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    for name, said in (("text.pth", "cannot be read"), ("other.pth", "lacks")):
        with (
            pytest.raises(BadBundle, match=said),
            joined_checkpoint(*three[:2], tmp_path / name, tmp_path / "out"),
        ):
            pass


def test_one_of_two_options_alone_is_refused(three, tmp_path, capsys):
    command = ["export", str(three[0]), "--language-model", str(three[1]), "--out", str(tmp_path / "out")]
    assert main(command) != 0
    assert "--projection" in capsys.readouterr().err
