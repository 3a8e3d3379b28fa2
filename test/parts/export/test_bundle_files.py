"""The text files that an export takes from a checkpoint."""

import json

import pytest

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.export.bundle_files import write_bundle_files
from vlm_ros.language.chat_template import template_source_from_bundle


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "my-llava"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text(json.dumps({"from": name}))
    (folder / "processor_config.json").write_text(
        json.dumps({"image_processor": {"do_resize": True}, "patch_size": 14})
    )
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    return folder


def test_text_files_are_copied_and_weights_are_not(checkpoint, folder):
    write_bundle_files(checkpoint, folder)
    assert json.loads((folder / "tokenizer.json").read_text()) == {"from": "tokenizer.json"}
    assert not (folder / "model.safetensors").exists()


def test_image_processor_is_taken_out_when_it_is_inside_the_processor(checkpoint, folder):
    write_bundle_files(checkpoint, folder)
    assert json.loads((folder / "preprocessor_config.json").read_text()) == {"do_resize": True}


@pytest.mark.parametrize("processor", ["{}", '{"image_processor": null}', None])
def test_preprocessor_config_is_taken_when_the_processor_holds_none(checkpoint, folder, processor):
    (checkpoint / "processor_config.json").unlink()
    if processor is not None:
        (checkpoint / "processor_config.json").write_text(processor)
    (checkpoint / "preprocessor_config.json").write_text('{"do_resize": false}')
    write_bundle_files(checkpoint, folder)
    assert Bundle(checkpoint).image_processor == Bundle(folder).image_processor == {"do_resize": False}


def test_image_processor_inside_the_processor_wins_over_an_older_file(checkpoint, folder):
    (checkpoint / "preprocessor_config.json").write_text('{"do_resize": false}')
    write_bundle_files(checkpoint, folder)
    assert Bundle(checkpoint).image_processor == Bundle(folder).image_processor == {"do_resize": True}


def test_template_inside_the_processor_wins_over_files_of_its_own(checkpoint, folder):
    (checkpoint / "processor_config.json").write_text('{"image_processor": {}, "chat_template": "inside"}')
    (checkpoint / "chat_template.json").write_text('{"chat_template": "beside"}')
    (checkpoint / "chat_template.jinja").write_text("beside")
    write_bundle_files(checkpoint, folder)
    assert template_source_from_bundle(Bundle(folder)) == "inside"


def test_card_names_the_checkpoint_and_no_path_when_the_checkpoint_has_no_card(checkpoint, folder):
    write_bundle_files(checkpoint, folder)
    assert Bundle(folder).card.source == "my-llava"


def test_card_is_kept_when_the_checkpoint_has_one(checkpoint, folder):
    (checkpoint / "model_card.json").write_text('{"near_m": 0.6, "licence": "Apache-2.0"}')
    write_bundle_files(checkpoint, folder)
    assert Bundle(folder).card.near_m == 0.6


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "processor_config.json"])
def test_missing_file_is_named(checkpoint, folder, name):
    (checkpoint / name).unlink()
    with pytest.raises(BadBundle, match=name):
        write_bundle_files(checkpoint, folder)


@pytest.mark.parametrize("architectures", ["LlavaForVision", [{}], [5]])
def test_architectures_that_are_no_names_are_refused(checkpoint, folder, architectures):
    (checkpoint / "config.json").write_text(json.dumps({"model_type": "llava", "architectures": architectures}))
    with pytest.raises(BadBundle, match=r"config.json' has 'architectures': .*expected a list of names"):
        write_bundle_files(checkpoint, folder)


def test_mark_in_front_of_a_text_is_no_part_of_it(checkpoint, folder):
    settings = {"image_processor": {"do_resize": True}}
    (checkpoint / "processor_config.json").write_text(json.dumps(settings), encoding="utf-8-sig")
    write_bundle_files(checkpoint, folder)
    assert Bundle(folder).image_processor == {"do_resize": True}


def test_placeholder_of_git_lfs_is_not_copied(checkpoint, folder):
    (checkpoint / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(BadBundle, match=r"tokenizer.json' is a placeholder of Git LFS"):
        write_bundle_files(checkpoint, folder)
