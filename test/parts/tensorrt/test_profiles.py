"""Which shapes engines are tuned for."""

from __future__ import annotations

import pytest

from vlm_ros.build.tensorrt.profiles import Limits, limits_from_config, profiles_of
from vlm_ros.core.errors import BuildFailed

LIMITS = Limits(batch=2, prompt_tokens=100, context_tokens=400, step_tokens=8)


def test_decoding_comes_before_prompts_when_a_graph_has_a_cache() -> None:
    decoding, prompts = profiles_of(["batch", "sequence", "past", "total"], LIMITS)
    assert decoding == {"batch": (1, 1, 2), "sequence": (1, 1, 8), "past": (1, 200, 400), "total": (2, 201, 408)}
    assert prompts == {"batch": (1, 1, 2), "sequence": (1, 50, 100), "past": (0, 1, 400), "total": (1, 51, 500)}


@pytest.mark.parametrize(
    "names",
    [
        ("batch", "sequence", "past", "total"),
        ("batch_size", "sequence_length", "past_sequence_length", "total_sequence_length"),
        ("batch_size", "seq_len", "past_seq_len", "past_seq_len + seq_len"),
    ],
)
def test_masks_are_as_long_as_past_and_tokens_when_names_are_ours_or_the_hubs(names: tuple[str, ...]) -> None:
    _, tokens, past, total = names
    for profile in profiles_of(names, LIMITS):
        assert [a + b for a, b in zip(profile[past], profile[tokens], strict=True)] == list(profile[total])


def test_one_profile_is_enough_when_a_graph_has_no_cache() -> None:
    assert profiles_of(["batch"], LIMITS) == [{"batch": (1, 1, 2)}]
    assert profiles_of(["sequence"], LIMITS) == [{"sequence": (1, 200, 400)}]


def test_what_an_encoder_has_read_keeps_its_length_when_tokens_are_decoded() -> None:
    for profile in profiles_of(["batch", "sequence", "past", "encoder_sequence"], LIMITS):
        assert profile["encoder_sequence"] == (1, 512, 1024)


def test_decoder_may_look_at_a_picture_of_more_tokens_than_its_own_context() -> None:
    config = {"text_config": {"max_position_embeddings": 512}, "vision_config": {"image_size": 384, "patch_size": 16}}
    limits = limits_from_config({"model_type": "blip", **config})
    assert (limits.prompt_tokens, limits.read_tokens, limits.batch) == (512, 577, 1)


def test_models_that_compare_take_several_at_once() -> None:
    assert limits_from_config({"model_type": "clip"}).batch > 1


def test_sizes_are_in_order_when_limits_are_as_small_as_can_be() -> None:
    for profile in profiles_of(["batch", "sequence", "past", "total"], Limits(1, 1, 1, 8)):
        assert all(low <= usual <= high for low, usual, high in profile.values())


def test_pictures_have_one_size_when_the_graph_leaves_it_open() -> None:
    limits = limits_from_config({"model_type": "clip", "vision_config": {"image_size": 224, "patch_size": 16}})
    profile = profiles_of(["image_batch_size", "num_channels", "height", "width"], limits)[0]
    assert profile["num_channels"] == (3, 3, 3)
    assert profile["height"] == profile["width"] == (224, 224, 224)
    with pytest.raises(BuildFailed, match="'height'"):
        profiles_of(["height"], Limits())


def test_dimension_is_named_when_nobody_knows_it() -> None:
    with pytest.raises(BuildFailed, match="'num_boxes'"):
        profiles_of(["batch", "num_boxes"], LIMITS)


def test_context_ends_where_the_rotary_factors_change() -> None:
    text = {
        "max_position_embeddings": 131072,
        "original_max_position_embeddings": 4096,
        "rope_scaling": {"type": "longrope", "long_factor": [1.0], "short_factor": [1.0]},
    }
    assert limits_from_config({"model_type": "llava", "text_config": text}).context_tokens == 4096
