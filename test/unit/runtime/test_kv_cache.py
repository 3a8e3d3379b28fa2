from __future__ import annotations

import numpy as np
import pytest

from vlm_ros.core.errors import BadBundle
from vlm_ros.runtime.fake import FakeRunner
from vlm_ros.runtime.kv_cache import KvLayout
from vlm_ros.runtime.runner import TensorSpec

HALF = np.dtype(np.float16)
SHAPE = ("batch", 2, "past", 8)


def decoder(past: list[tuple], present: list[str], shape: tuple = SHAPE) -> FakeRunner:
    """A graph with these cache tensors, whose values nobody needs."""
    inputs = [TensorSpec("inputs_embeds", HALF, (1, "sequence", 4))]
    inputs += [TensorSpec(name, HALF, shape) for name, shape in past]
    outputs = [TensorSpec(name, HALF, shape) for name in ["logits", *present]]
    runner = FakeRunner(inputs, outputs, lambda feeds: {})
    runner.activate()
    return runner


def names(prefix: str, layers: int) -> list[str]:
    return [f"{prefix}.{layer}.{kind}" for layer in range(layers) for kind in ("key", "value")]


@pytest.fixture
def layout() -> KvLayout:
    past = [(name, SHAPE) for name in names("past_key_values", 3)]
    return KvLayout.from_runner(decoder(past, names("present", 3)))


def test_layout_counts_layers_when_read_from_a_decoder(layout: KvLayout) -> None:
    assert layout.layers == 3
    assert layout.present["past_key_values.2.value"] == "present.2.value"


def test_empty_cache_has_the_decoders_type_and_no_tokens_when_it_begins(layout: KvLayout) -> None:
    cache = layout.empty()
    assert cache.tokens == 0
    assert list(cache.feeds) == names("past_key_values", 3)
    assert {(array.shape, array.dtype) for array in cache.feeds.values()} == {((1, 2, 0, 8), HALF)}


def test_next_feeds_each_present_back_as_its_past_when_tokens_were_run(layout: KvLayout) -> None:
    outputs = {name: np.full((1, 2, 5, 8), number, HALF) for number, name in enumerate(names("present", 3))}
    begin = layout.empty()
    cache = layout.next(begin, {"logits": np.zeros(3), **outputs}, tokens=5)
    assert cache.tokens == 5
    assert cache.feeds["past_key_values.1.value"] is outputs["present.1.value"]
    assert begin.tokens == 0 and begin.feeds["past_key_values.0.key"].shape[2] == 0


LFM2 = {"past_conv.0": ("batch_size", 64, 3)}
QWEN3_5 = {"past_conv.0": ("batch_size", 96, 4), "past_recurrent.0": ("batch_size", 16, 8, 8)}
UNNAMED = {name: (f"{name}_0", *shape[1:]) for name, shape in QWEN3_5.items()}


@pytest.mark.parametrize("states", [LFM2, QWEN3_5, UNNAMED], ids=["LFM2", "Qwen3.5", "batch without a name"])
def test_states_begin_as_zeros_and_go_on_as_they_come(states: dict[str, tuple]) -> None:
    inputs = [TensorSpec("inputs_embeds", HALF, ("batch", "sequence", 4))]
    inputs += [TensorSpec(name, HALF, shape) for name, shape in states.items()]
    inputs += [TensorSpec(name, HALF, SHAPE) for name in names("past_key_values", 2)[2:]]
    outputs = [TensorSpec("logits", HALF, ("batch", 1, 9))]
    outputs += [TensorSpec(name.replace("past", "present"), HALF, shape) for name, shape in states.items()]
    outputs += [TensorSpec(name, HALF, SHAPE) for name in names("present", 2)[2:]]
    runner = FakeRunner(inputs, outputs, lambda feeds: {})
    runner.activate()
    layout = KvLayout.from_runner(runner)
    begin = layout.empty()
    assert layout.layers == 2
    assert {name: begin.feeds[name].shape for name in states} == {n: (1, *shape[1:]) for n, shape in states.items()}
    assert not any(np.any(array) for array in begin.feeds.values())
    given = {spec.name: np.ones((1, 2, 3, 8), HALF) for spec in outputs}
    given |= {name.replace("past", "present"): np.ones(begin.feeds[name].shape, HALF) for name in states}
    later = layout.next(begin, given, tokens=3)
    assert all(later.feeds[name] is given[name.replace("past", "present")] for name in states)


@pytest.mark.parametrize(
    ("past", "present", "said"),
    [
        ([], names("present", 1), "0 cache inputs"),
        ([("past_key_values.0.key", SHAPE)], [], "present.0.key"),
        ([("past_key_values.0.key", ("batch", "heads", "past", 8))], ["present.0.key"], "heads"),
        ([("past_conv.0", ("batch", "channels", 3))], ["present_conv.0"], "leaves more open"),
        ([("past_key_values.0.key", ("batch", 2, 8))], ["present.0.key"], "past_key_values.0.key"),
    ],
    ids=["none", "unpaired", "dynamic heads", "open state", "wrong rank"],
)
def test_layout_is_refused_when_cache_tensors_make_no_sense(past: list, present: list[str], said: str) -> None:
    with pytest.raises(BadBundle, match=said):
        KvLayout.from_runner(decoder(past, present, past[0][1] if past else SHAPE))
