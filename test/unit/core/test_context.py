"""How many tokens a model reads, as its configuration says."""

import pytest

from vlm_ros.core.context import context_tokens, factors_change_after

LONG = {"type": "longrope", "short_factor": [1.0], "long_factor": [4.0]}


@pytest.mark.parametrize(
    ("config", "tokens", "border"),
    [
        ({}, 2048, None),
        ({"max_position_embeddings": 512}, 512, None),
        ({"text_config": {"vocab_size": 9}, "max_position_embeddings": 512}, 512, None),
        ({"text_config": {"max_position_embeddings": 128}, "max_position_embeddings": 512}, 128, None),
        ({"llm_config": {"max_position_embeddings": 128}}, 128, None),
        ({"text_config": {"max_position_embeddings": 128, "rope_scaling": {"type": "linear", "factor": 2}}}, 128, None),
        (
            {
                "text_config": {
                    "max_position_embeddings": 131072,
                    "original_max_position_embeddings": 4096,
                    "rope_scaling": LONG,
                }
            },
            4096,
            4096,
        ),
        (
            {
                "text_config": {
                    "max_position_embeddings": 131072,
                    "rope_parameters": {**LONG, "original_max_position_embeddings": 4096},
                }
            },
            4096,
            4096,
        ),
        (
            {
                "text_config": {
                    "max_position_embeddings": 4096,
                    "original_max_position_embeddings": 4096,
                    "rope_scaling": LONG,
                }
            },
            4096,
            None,
        ),
        ({"text_config": {"max_position_embeddings": 131072, "rope_scaling": LONG}}, 131072, None),
    ],
)
def test_model_reads_what_it_was_made_for_up_to_where_its_factors_change(config, tokens, border):
    assert (context_tokens(config), factors_change_after(config)) == (tokens, border)
