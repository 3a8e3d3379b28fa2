"""The ONNX files that are part of the source say nothing of the machine that made them."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GRAPHS = [*ROOT.glob("test/bundles/*/onnx/*.onnx"), *ROOT.glob("engines/*/onnx/*.onnx")]


def test_there_are_graphs_to_look_at():
    assert len(GRAPHS) >= 3


# Each long enough not to turn up in megabytes of weights by chance.
TRACES = [b"site-packages", b'File "', b"/home/", b"/root/", b"stack_trace"]


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
@pytest.mark.parametrize("trace", TRACES)
def test_graph_holds_no_trace_of_its_maker(path, trace):
    assert trace not in path.read_bytes()
