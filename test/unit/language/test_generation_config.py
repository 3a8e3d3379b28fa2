"""What of ``generation_config.json`` is told of, and where it counts for nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.language.generation_config import FreeRules, free_rules, warn_of_what_is_not_followed

FOLLOWED = {
    "repetition_penalty": 1.05,
    "no_repeat_ngram_size": 3,
    "bad_words_ids": [[7], [8, 9]],
    "min_length": 4,
    "min_new_tokens": 2,
    "suppress_tokens": [5],
    "begin_suppress_tokens": [6, 2],
    "forced_bos_token_id": 1,
    "stop_strings": ["#"],
    "eos_token_id": 2,
}
SAMPLING = {"do_sample": True, "temperature": 0.1, "top_k": 1, "top_p": 0.001, "max_new_tokens": 5}
NEUTRAL = {"num_beams": 1, "min_length": 0, "no_repeat_ngram_size": 0, "guidance_scale": 1.0, "bad_words_ids": None}


def bundle_with(folder: Path, kind: str = "llava", **settings: object) -> Bundle:
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return Bundle(folder)


def test_settings_that_are_not_followed_are_named_in_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_what_is_not_followed(bundle_with(tmp_path, **FOLLOWED, num_beams=3, forced_eos_token_id=2))
    assert len(caplog.records) == 1
    assert "['forced_eos_token_id', 'num_beams'], which are not followed" in caplog.text


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
    assert free_rules(bundle) == FreeRules()
    assert not caplog.records


def test_rules_are_read_by_the_names_of_transformers(tmp_path: Path) -> None:
    rules = free_rules(bundle_with(tmp_path, **FOLLOWED))
    assert rules == FreeRules(1.05, 3, ((7,), (8, 9)), 4, 2, (5,), (6, 2))


@pytest.mark.parametrize(
    "settings", [{}, NEUTRAL, dict.fromkeys(FOLLOWED), {"bad_words_ids": [], "suppress_tokens": []}]
)
def test_there_are_no_rules_where_the_settings_are_neutral(tmp_path: Path, settings: dict[str, object]) -> None:
    assert free_rules(bundle_with(tmp_path, **settings)) == FreeRules()


def test_no_new_tokens_at_least_is_a_rule_of_its_own(tmp_path: Path) -> None:
    """transformers then does not look at min_length."""
    assert free_rules(bundle_with(tmp_path, min_new_tokens=0, min_length=9)).min_new_tokens == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("repetition_penalty", 0),
        ("repetition_penalty", "1.2"),
        ("no_repeat_ngram_size", 2.5),
        ("no_repeat_ngram_size", -1),
        ("min_length", "3"),
        ("min_new_tokens", True),
        ("bad_words_ids", [7]),
        ("bad_words_ids", [[]]),
        ("bad_words_ids", {"7": 1}),
        ("suppress_tokens", [None]),
        ("begin_suppress_tokens", 5),
    ],
)
def test_setting_that_makes_no_sense_is_named_with_its_value(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(BadBundle, match=re.escape(f"generation_config.json has '{name}': {value!r}, expected")):
        free_rules(bundle_with(tmp_path, **{name: value}))
