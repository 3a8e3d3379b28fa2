"""What of ``generation_config.json`` is told of, and where it counts for nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlm_ros.core.bundle import Bundle
from vlm_ros.language.generation_config import repetition_penalty, suppressed_ids, warn_of_what_is_not_followed

FOLLOWED = {"repetition_penalty": 1.05, "suppress_tokens": [5], "stop_strings": ["#"], "eos_token_id": 2}
SAMPLING = {"do_sample": True, "temperature": 0.1, "top_k": 1, "top_p": 0.001, "max_new_tokens": 5}
NEUTRAL = {"num_beams": 1, "min_length": 0, "no_repeat_ngram_size": 0, "guidance_scale": 1.0, "bad_words_ids": None}


def bundle_with(folder: Path, kind: str = "llava", **settings: object) -> Bundle:
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return Bundle(folder)


def test_settings_that_are_not_followed_are_named_in_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_what_is_not_followed(bundle_with(tmp_path, **FOLLOWED, num_beams=3, bad_words_ids=[[7]]))
    assert len(caplog.records) == 1
    assert "['bad_words_ids', 'num_beams'], which are not followed" in caplog.text


@pytest.mark.parametrize("settings", [{}, FOLLOWED, SAMPLING, NEUTRAL])
def test_nothing_is_said_where_answers_are_those_of_transformers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, settings: dict[str, object]
) -> None:
    warn_of_what_is_not_followed(bundle_with(tmp_path, **settings))
    assert not caplog.records


def test_the_file_counts_for_nothing_where_transformers_does_not_read_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = bundle_with(tmp_path, "blip-2", repetition_penalty=1.5, num_beams=5, suppress_tokens=[5])
    warn_of_what_is_not_followed(bundle)
    assert repetition_penalty(bundle) == 1
    assert suppressed_ids(bundle, 9) == ()
    assert not caplog.records
