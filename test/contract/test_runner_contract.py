"""What every runner does alike. A new runner joins by one more entry in ``RUNNERS``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from plans import tensorrt_runner

from vlm_ros.runtime.fake import FakeRunner, Graph
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.runner import Runner, TensorSpec

GRAPHS = Path(__file__).parent / "toy_graphs"
FLOAT, INT64 = np.dtype(np.float32), np.dtype(np.int64)
TABLE = np.arange(8, dtype=np.float32).reshape(4, 2)

FAKES: dict[str, tuple[list[TensorSpec], list[TensorSpec], Graph]] = {
    "add": (
        [TensorSpec("left", FLOAT, (2, 3)), TensorSpec("right", FLOAT, (2, 3))],
        [TensorSpec("sum", FLOAT, (2, 3))],
        lambda feeds: {"sum": feeds["left"] + feeds["right"]},
    ),
    "matmul": (
        [TensorSpec("rows", FLOAT, ("batch", "past")), TensorSpec("columns", FLOAT, ("past", 2))],
        [TensorSpec("product", FLOAT, ("batch", 2))],
        lambda feeds: {"product": feeds["rows"] @ feeds["columns"]},
    ),
    "embed": (
        [TensorSpec("numbers", INT64, ("batch", "sequence"))],
        [TensorSpec("embeddings", FLOAT, ("batch", "sequence", 2))],
        lambda feeds: {"embeddings": TABLE[feeds["numbers"]]},
    ),
}

RUNNERS: dict[str, Callable[[str], Runner]] = {
    "fake": lambda name: FakeRunner(*FAKES[name]),
    "onnxruntime": lambda name: OnnxRuntimeRunner(GRAPHS / f"{name}.onnx", threads=1),
    "onnxruntime bound": lambda name: OnnxRuntimeRunner(GRAPHS / f"{name}.onnx", threads=1, device="cpu"),
    "cuda": lambda name: runner_for(GRAPHS / f"{name}.onnx", cuda=True),
    "tensorrt": lambda name: tensorrt_runner(GRAPHS / f"{name}.onnx"),
}

Make = Callable[[str], Runner]


@pytest.fixture(params=RUNNERS)
def vendor(request: pytest.FixtureRequest) -> str:
    """Each of ``RUNNERS``, able to run here."""
    if request.param == "tensorrt":
        request.getfixturevalue("emulated_tensorrt")
    if request.param == "cuda":
        request.getfixturevalue("cuda_provider")
    return request.param


@pytest.fixture
def make(vendor: str) -> Iterator[Make]:
    """Makes active runners of toy graphs."""
    made: list[Runner] = []

    def make_active(name: str) -> Runner:
        made.append(RUNNERS[vendor](name))
        made[-1].activate()
        return made[-1]

    yield make_active
    for runner in made:
        runner.deactivate()


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def essence(spec: TensorSpec) -> tuple:
    """All of a spec but what it calls its dynamic dimensions, whose names not every engine keeps."""
    return spec.name, spec.dtype, tuple("dynamic" if isinstance(size, str) else size for size in spec.shape)


@pytest.mark.parametrize("name", FAKES)
def test_specs_tell_names_types_and_shapes_when_active(make: Make, name: str) -> None:
    inputs, outputs, _ = FAKES[name]
    runner = make(name)
    assert [essence(spec) for spec in runner.inputs.values()] == [essence(spec) for spec in inputs]
    assert [essence(spec) for spec in runner.outputs.values()] == [essence(spec) for spec in outputs]
    assert list(runner.inputs) == [spec.name for spec in inputs]


def test_run_gives_all_outputs_by_name_when_fed_all_inputs(make: Make) -> None:
    outputs = make("add").run({"right": ones(2, 3), "left": 2 * ones(2, 3)})
    assert list(outputs) == ["sum"]
    np.testing.assert_array_equal(outputs["sum"], 3 * ones(2, 3))
    assert outputs["sum"].dtype == FLOAT


@pytest.mark.parametrize(("batch", "past"), [(1, 1), (3, 5), (2, 0)])
def test_dynamic_dimensions_take_any_size_when_run(make: Make, batch: int, past: int) -> None:
    product = make("matmul").run({"rows": ones(batch, past), "columns": ones(past, 2)})["product"]
    np.testing.assert_array_equal(product, np.full((batch, 2), past, np.float32))


def test_lookup_gives_rows_of_the_table_when_run(make: Make) -> None:
    embeddings = make("embed").run({"numbers": np.array([[3, 0, 3]])})["embeddings"]
    np.testing.assert_array_equal(embeddings, TABLE[[[3, 0, 3]]])


def test_inputs_may_be_read_only_views_when_run(make: Make) -> None:
    wide = np.arange(12, dtype=np.float32).reshape(2, 6)
    wide.flags.writeable = False
    total = make("add").run({"left": wide[:, ::2], "right": wide[:, ::2]})["sum"]
    np.testing.assert_array_equal(total, 2 * wide[:, ::2])


def test_outputs_stay_as_they_are_when_the_graph_runs_again(make: Make) -> None:
    runner = make("add")
    first = runner.run({"left": ones(2, 3), "right": ones(2, 3)})["sum"]
    runner.run({"left": 5 * ones(2, 3), "right": ones(2, 3)})
    np.testing.assert_array_equal(first, 2 * ones(2, 3))


def test_kept_outputs_are_fed_again_and_stay_as_they_are_when_the_graph_runs_again(make: Make) -> None:
    runner = make("add")
    first = runner.run({"left": ones(2, 3), "right": ones(2, 3)}, keep=["sum"])["sum"]
    second = runner.run({"left": first, "right": first}, keep=["sum"])["sum"]
    third = runner.run({"left": second, "right": first})["sum"]
    assert (first.shape, first.dtype) == ((2, 3), FLOAT)
    for total, number in ((first, 2), (second, 4), (third, 6)):
        np.testing.assert_array_equal(np.asarray(total), number * ones(2, 3))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"right": None}, "right"),
        ({"third": ones(2, 3)}, "third"),
        ({"right": ones(3, 2)}, "right"),
        ({"right": ones(2, 3, 1)}, "right"),
        ({"right": np.ones((2, 3))}, "right"),
        ({"right": [[1.0, 1.0, 1.0]] * 2}, "right"),
    ],
    ids=["missing", "unknown", "misshapen", "wrong rank", "mistyped", "not an array"],
)
def test_run_names_the_input_when_it_does_not_fit(make: Make, change: dict, named: str) -> None:
    feeds = {"left": ones(2, 3), "right": ones(2, 3), **change}
    feeds = {name: value for name, value in feeds.items() if value is not None}
    with pytest.raises(ValueError, match=f"'{named}'"):
        make("add").run(feeds)


def test_fixed_dimensions_are_checked_when_others_are_dynamic(make: Make) -> None:
    with pytest.raises(ValueError, match="'columns'"):
        make("matmul").run({"rows": ones(1, 4), "columns": ones(4, 3)})


def test_run_and_specs_are_refused_when_not_active(vendor: str) -> None:
    runner = RUNNERS[vendor]("add")
    with pytest.raises(RuntimeError, match="activate"):
        runner.run({"left": ones(2, 3), "right": ones(2, 3)})
    with pytest.raises(RuntimeError, match="activate"):
        _ = runner.inputs


def test_activate_and_deactivate_do_no_harm_when_called_twice(make: Make) -> None:
    runner = make("add")
    runner.activate()
    runner.run({"left": ones(2, 3), "right": ones(2, 3)})
    runner.deactivate()
    runner.deactivate()
    with pytest.raises(RuntimeError):
        runner.run({"left": ones(2, 3), "right": ones(2, 3)})
    runner.activate()
    np.testing.assert_array_equal(runner.run({"left": ones(2, 3), "right": ones(2, 3)})["sum"], 2 * ones(2, 3))
