"""The cards of public models, and the table of families."""

import json

import pytest

from vlm_ros.core.catalogue import PublicModel, catalogue
from vlm_ros.core.errors import BadBundle, BadConfig
from vlm_ros.core.families import FAMILIES, family_of


def test_every_shipped_card_is_of_a_known_family_and_every_family_has_a_card():
    models = catalogue()
    assert {model.family for model in models} == {family.module for family in FAMILIES}
    assert len({model.source for model in models}) == len(models)
    assert all(model.parameters > 0 and model.licence for model in models)


def test_weights_shrink_with_the_precision():
    model = PublicModel("somebody/model", "llava", 1000, "MIT")
    assert [model.weights_gb(precision) for precision in ("fp32", "fp16", "int8", "q4")] == [4.0, 2.0, 1.0, 0.625]


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("{", "not a model's card"),
        ('{"source": "a/b", "colour": "red"}', "colour"),
        ('{"source": "a/b", "family": "frog", "parameters": 1, "licence": "MIT"}', "family 'frog'"),
    ],
)
def test_a_wrong_card_is_named(tmp_path, card, reason):
    (tmp_path / "wrong.json").write_text(card)
    with pytest.raises(BadConfig, match=reason):
        catalogue([tmp_path])


def test_the_first_place_counts_when_a_card_is_in_two(tmp_path):
    for place, parameters in (("mine", 1), ("theirs", 2)):
        (tmp_path / place).mkdir()
        card = {"source": "a/b", "family": "llava", "parameters": parameters, "licence": "MIT"}
        (tmp_path / place / "b.json").write_text(json.dumps(card))
    assert [model.parameters for model in catalogue([tmp_path / "mine", tmp_path / "theirs"])] == [1]


def test_model_types_belong_to_one_family_each():
    kinds = [
        (model_type, architecture)
        for family in FAMILIES
        for model_type in family.model_types
        for architecture in family.architectures or (None,)
    ]
    assert len(kinds) == len(set(kinds))


def test_the_architecture_decides_when_families_share_a_type():
    config = {"model_type": "blip-2", "architectures": ["Blip2ForImageTextRetrieval"]}
    assert family_of(config, "model").module == "blip2_matching"
    assert family_of({"model_type": "blip-2"}, "model").module == "blip2"


def test_an_unknown_type_is_refused_with_the_nearest_that_is_known():
    with pytest.raises(BadBundle, match=r"'lava'.*LavaForVision.*nearest that is: llava"):
        family_of({"model_type": "lava", "architectures": ["LavaForVision"]}, "model")


@pytest.mark.parametrize(
    ("kind", "nearest"),
    [
        ("fast_vlm", "llava_qwen2 .*FastVLM"),
        ("internvl_chat", "internvl .*InternVL3, .*-hf"),
        ("paligemma", "llava_onevision"),
        ("gemma3", "llava_onevision"),
        ("llava_next", "llava_onevision"),
        ("phi4_multimodal", "llava_onevision"),
        ("deepseek_vl", "llava .*LLaVA-1.5"),
        ("instructblip", "blip-2 .*BLIP-2 with OPT"),
        ("blip_2", "blip-2 .*BLIP-2 with OPT"),
        ("siglip2", "clip .*CLIP"),
        ("minicpmo", "minicpmv .*MiniCPM-V 2.6"),
    ],
)
def test_the_nearest_has_the_same_parts_where_names_mislead(kind, nearest):
    with pytest.raises(BadBundle, match=f"'{kind}'.*not supported; the nearest that is: {nearest}"):
        family_of({"model_type": kind}, "model")
