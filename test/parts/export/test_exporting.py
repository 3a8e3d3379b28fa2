"""What an export refuses before it begins, and what it leaves behind."""

import json

import pytest

from vlm_ros.core.errors import BadBundle
from vlm_ros.export.exporting import export_bundle, recognised


@pytest.fixture
def unfinished(tmp_path):
    """A checkpoint without a tokenizer."""
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llava"}')
    return folder


def test_checkpoint_is_named_when_it_is_not_there(tmp_path):
    with pytest.raises(BadBundle, match="nowhere"):
        export_bundle(tmp_path / "nowhere", tmp_path / "out")


def test_family_and_what_is_known_are_named_when_the_family_is_unknown(unfinished, tmp_path):
    (unfinished / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(BadBundle, match="gpt2.*the nearest that is: "):
        export_bundle(unfinished, tmp_path / "out")


def test_code_of_a_checkpoint_is_never_run(unfinished, tmp_path):
    config = {"model_type": "their_own", "auto_map": {"AutoModel": "modeling.Theirs"}}
    (unfinished / "config.json").write_text(json.dumps(config))
    (unfinished / "modeling.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(BadBundle, match="their_own.*code of its own.*never run"):
        export_bundle(unfinished, tmp_path / "out")


def test_folder_without_a_configuration_is_told_so(tmp_path):
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(BadBundle, match=r"checkpoint' has no 'config.json': give the folder of a whole checkpoint"):
        export_bundle(tmp_path / "checkpoint", tmp_path / "out")


def test_configuration_without_a_type_is_told_so(unfinished, tmp_path):
    (unfinished / "config.json").write_text("{}")
    with pytest.raises(BadBundle, match="no 'model_type', which says what model it is") as refused:
        export_bundle(unfinished, tmp_path / "out")
    assert "nearest" not in str(refused.value)


def test_model_is_recognised_in_words(unfinished):
    config = {"model_type": "llava", "text_config": {"model_type": "qwen2"}, "vision_config": {"hidden_size": 8}}
    (unfinished / "config.json").write_text(json.dumps(config))
    said = recognised(unfinished)
    assert said.startswith("LLaVA-1.5")
    assert "(llava), text model qwen2, parts: vision_encoder, embed_tokens, decoder_model_merged" in said


def test_nothing_is_left_when_an_export_fails(unfinished, tmp_path):
    with pytest.raises(BadBundle, match="tokenizer"):
        export_bundle(unfinished, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_earlier_bundle_stays_as_it_was_when_an_export_fails(unfinished, tmp_path):
    out = tmp_path / "out"
    (out / "onnx").mkdir(parents=True)
    (out / "config.json").write_text(json.dumps({"from": "before"}))
    with pytest.raises(BadBundle):
        export_bundle(unfinished, out)
    assert json.loads((out / "config.json").read_text()) == {"from": "before"}
    assert (out / "onnx").is_dir()


def test_file_in_the_way_is_refused(unfinished, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(BadBundle, match="is a file"):
        export_bundle(unfinished, tmp_path / "out")
