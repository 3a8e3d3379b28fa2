"""Networks and the parser that makes them."""

from __future__ import annotations

import weakref
from pathlib import Path

from emulator.graph import Graph, Value, model_from_file
from emulator.trt_types import DataType, Dims, ILogger, complain

UNSUPPORTED = {"Det"}
"""What no parser knows."""

NEWER = {"RMSNormalization", "RotaryEmbedding", "Attention"}
"""What the parser does not know before TensorRT 11."""


class ITensor:
    def __init__(self, value: Value) -> None:
        self._value = value

    @property
    def name(self) -> str:
        return self._value.name

    @property
    def shape(self) -> Dims:
        return self._value.shape

    @property
    def dtype(self) -> DataType:
        return self._value.dtype

    def get_dimension_name(self, index: int) -> str:
        size = self._value.sizes[index]
        return size if isinstance(size, str) else ""


class INetworkDefinition:
    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._parser: weakref.ref[OnnxParser] | None = None

    @property
    def num_inputs(self) -> int:
        assert self._graph is not None
        return len(self._graph.inputs)

    def get_input(self, index: int) -> ITensor:
        assert self._graph is not None
        return ITensor(self._graph.inputs[index])


class ParserError:
    def __init__(self, name: str, operator: str, text: str) -> None:
        self._name, self._operator, self._text = name, operator, text

    def desc(self) -> str:
        return self._text

    def node_name(self) -> str:
        return self._name

    def node_operator(self) -> str:
        return self._operator


class OnnxParser:
    """The network borrows its weights: it must live until the network is built."""

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self._network = network
        self._logger = logger
        self._errors: list[ParserError] = []
        network._parser = weakref.ref(self)

    def parse_from_file(self, model: str) -> bool:
        try:
            graph = Graph(model_from_file(Path(model)).SerializeToString())
            if not graph.outputs:
                raise ValueError("a graph without outputs")
        except Exception as error:  # whatever protocol buffers and the file system raise
            complain(self._logger, f"cannot read {model}")
            self._errors.append(ParserError("", "", f"failed to parse ({type(error).__name__})"))
            return False
        refused = [node for node in graph.nodes if not self.supports_operator(node[1])]
        self._errors += [ParserError(name, operator, "no importer registered") for name, operator in refused]
        self._network._graph = graph
        return not refused

    def supports_operator(self, op_name: str) -> bool:
        from emulator import tensorrt

        return op_name not in UNSUPPORTED and (op_name not in NEWER or int(tensorrt.__version__.split(".")[0]) >= 11)

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]
