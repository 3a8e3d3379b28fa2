"""Where bundles are found."""

from pathlib import Path

import pytest

from vlm_ros.core.errors import BadBundle
from vlm_ros.core.places import find_bundle, share_folders


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """A sourced workspace whose share holds one model, ``small``."""
    bundle = tmp_path / "share" / "vlm_ros" / "engines" / "small"
    bundle.mkdir(parents=True)
    (bundle / "config.json").write_text("{}")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.delenv("VLM_ROS_MODEL", raising=False)
    return tmp_path


def test_bundle_is_found_by_name_when_its_workspace_is_sourced(prefix):
    assert find_bundle("small") == prefix / "share" / "vlm_ros" / "engines" / "small"


def test_bundle_is_found_by_path(prefix, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    assert find_bundle(str(tmp_path / "elsewhere")) == tmp_path / "elsewhere"


def test_variable_names_the_default(prefix, monkeypatch):
    monkeypatch.setenv("VLM_ROS_MODEL", "small")
    assert find_bundle().name == "small"


def test_argument_wins_when_the_variable_is_set_too(prefix, monkeypatch, tmp_path):
    monkeypatch.setenv("VLM_ROS_MODEL", "small")
    assert find_bundle(str(tmp_path)) == tmp_path


def test_wanted_and_known_models_are_named_when_there_is_none(prefix):
    with pytest.raises(BadBundle, match="'huge'.*small"):
        find_bundle("huge")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "~nobody_of_this_name/model"])
def test_a_name_that_no_file_can_have_is_no_model(prefix, name):
    with pytest.raises(BadBundle, match="no model"):
        find_bundle(name)


def test_source_tree_is_asked_last(prefix):
    folders = share_folders()
    assert folders[0] == prefix / "share" / "vlm_ros"
    assert folders[-1] == Path(__file__).parents[3]
