"""Checkpoints that cannot be exported are refused with what is wrong with them, and with the way out."""

import json
import os
import pickle
import re

import pytest

pytest.importorskip("torch", exc_type=ImportError)

import torch

from vlm_ros.core.errors import BadBundle
from vlm_ros.export.exporting import export_bundle
from vlm_ros.export.llava import load_checkpoint, parts_of

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 1\n"


class RunsCode:
    """What a pickle may hold."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (self.file,)


@pytest.fixture
def change(checkpoint):
    """Change keys of the checkpoint's configuration, and within its text_config."""
    path = checkpoint / "config.json"

    def changed(text=(), **keys):
        config = json.loads(path.read_text())
        path.write_text(json.dumps({**config, **keys, "text_config": {**config["text_config"], **dict(text)}}))

    return changed


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (POINTER, r"model\.safetensors' is a placeholder of Git LFS.*git lfs pull"),
        (b"\xff" * 64, r"model\.safetensors' cannot be read .*copy it again"),
        (None, r"model\.safetensors' cannot be read .*copy it again"),
    ],
    ids=["placeholder", "garbage", "half"],
)
def test_file_of_weights_is_named_when_it_cannot_be_read(checkpoint, tmp_path, content, said):
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2] if content is None else content)
    with pytest.raises(BadBundle, match=said):
        export_bundle(checkpoint, tmp_path / "bundle")


@pytest.mark.parametrize("write", [lambda held, file: file.write_bytes(pickle.dumps(held)), torch.save])
def test_code_in_weights_is_never_run(checkpoint, tmp_path, write):
    (checkpoint / "model.safetensors").unlink()
    write(RunsCode(str(tmp_path / "it ran")), checkpoint / "pytorch_model.bin")
    with pytest.raises(BadBundle, match="code is never run here.*as safetensors"):
        load_checkpoint(checkpoint)
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize("method", ["bitsandbytes", "gptq", "awq", "fp8", "compressed-tensors", "torchao", "their own"])
def test_quantised_weights_are_refused_with_the_way_out(checkpoint, change, method):
    change(quantization_config={"quant_method": method})
    with pytest.raises(
        BadBundle, match=rf"quantization_config \('{method}'\).*take the checkpoint that it was made of"
    ):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize(
    ("text", "keys", "said"),
    [
        ({"hidden_act": "frog"}, {}, "frog"),
        ({"rope_parameters": {"rope_type": "frog", "rope_theta": 1e4}}, {}, "frog"),
        ({"num_attention_heads": 5}, {}, r"not a multiple of the number of attention heads \(5\)"),
        ({"model_type": "frog"}, {}, "frog"),
        ({}, {"vision_feature_select_strategy": "frog"}, "expected one of .*got frog"),
        ({}, {"_attn_implementation": "flash_attention_2"}, "FlashAttention2"),
    ],
)
def test_what_transformers_says_is_kept_and_short(checkpoint, change, text, keys, said):
    change(text, **keys)
    with pytest.raises(BadBundle, match=rf"cannot be loaded \(.*{said}.*correct its config.json") as raised:
        load_checkpoint(checkpoint)
    assert len(str(raised.value)) < 1000


def test_weight_and_shapes_are_named_when_they_differ(checkpoint, change):
    change({"hidden_size": 48})
    with pytest.raises(BadBundle, match=r"of another shape .*first lm_head\.weight: \(\d+, 32\), expected \(\d+, 48\)"):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize("layer", [-4, 3, [-9]])
def test_layers_that_the_vision_tower_lacks_are_refused(checkpoint, change, layer):
    change(vision_feature_layer=layer)
    with pytest.raises(BadBundle, match=rf"vision_feature_layer {re.escape(str(layer))}, .*-3 to 2"):
        parts_of(load_checkpoint(checkpoint))


def test_mark_in_front_of_the_configuration_is_named(checkpoint):
    path = checkpoint / "config.json"
    path.write_text(path.read_text(), encoding="utf-8-sig")
    with pytest.raises(BadBundle, match=r"config.json' begins with a byte order mark.*save it without"):
        load_checkpoint(checkpoint)
