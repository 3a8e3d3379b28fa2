"""The benchmark's model is as large as it was asked to be."""

from __future__ import annotations

import pytest

from vlm_ros.benchmark.sizes import Sizes, sizes_from_parameters


@pytest.mark.parametrize(("parameters", "width"), [(200e6, 768), (2e6, 128), (0, 64)])
def test_width_is_the_nearest(parameters, width):
    assert sizes_from_parameters(parameters) == Sizes(width)


def test_parameters_are_those_of_the_real_model():
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from vlm_ros.benchmark.peer.checkpoint import make_model

    with torch.random.fork_rng():
        model = make_model(Sizes(64))
    real = sum(parameter.numel() for parameter in model.parameters())
    assert Sizes(64).parameters == pytest.approx(real, rel=0.01)
