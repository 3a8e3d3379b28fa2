"""Narrow weights and calibrated narrow activations, by ONNX Runtime's own quantiser."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vlm_ros.build.precision.biases import with_plain_biases
from vlm_ros.build.precision.files import read_model, write_model
from vlm_ros.build.precision.graph import Feeds, constants, copy_of, named_nodes
from vlm_ros.build.precision.onnx_library import Model
from vlm_ros.build.precision.transposes import with_plain_weights
from vlm_ros.build.precision.weight_only import may_be_narrow
from vlm_ros.core.errors import require

_PRODUCTS = ["MatMul", "Gemm"]


def static_int8(model: Model, samples: Sequence[Feeds]) -> Model:
    """INT8 products and convolutions (QDQ), activations scaled by their ranges on ``samples``, symmetric for TensorRT.

    A graph without any of those is given back as it is. Products without a weight, with a stack of weights or an empty
    one stay wide, and so do those with a bias that is not one number for each output: kernels in integers, and the
    quantiser, take no others.
    """
    kinds = {node.op_type for node in model.graph.node} & {*_PRODUCTS, "Conv"}
    if not kinds:
        return copy_of(model)
    library = _quantization()
    prepared = named_nodes(with_plain_weights(with_plain_biases(copy_of(model))))
    wide = list(_wide_products(prepared))
    with _files() as (source, target):
        write_model(prepared, source)
        library.quantize_static(
            source,
            target,
            _reader(library, samples),
            quant_format=library.QuantFormat.QDQ,
            op_types_to_quantize=sorted(kinds),
            nodes_to_exclude=wide,
            per_channel=True,
            activation_type=library.QuantType.QInt8,
            weight_type=library.QuantType.QInt8,
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
        )
        return read_model(target)


def _wide_products(model: Model) -> Iterator[str]:
    """The names of the products that the quantiser is to leave as they are."""
    weights = constants(model)
    for node in model.graph.node:
        if node.op_type in _PRODUCTS:
            weight, bias = (weights.get(name) for name in (*node.input[1:], "")[:2])
            if weight is None or not may_be_narrow(weight) or (bias is not None and bias.shape != weight.shape[1:]):
                yield node.name


def _quantization() -> Any:
    return require("onnxruntime.quantization", "pip install onnxruntime")


def _reader(library: Any, samples: Sequence[Feeds]) -> Any:
    """``samples`` the way the quantiser wants them."""
    remaining = iter(samples)

    class Reader(library.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Any] | None:
            feeds = next(remaining, None)
            return None if feeds is None else dict(feeds)

    return Reader()


@contextmanager
def _files() -> Iterator[tuple[Path, Path]]:
    """Where the quantiser reads and writes; it also recommends things to its log that are done already."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory(prefix="vlm_ros_") as folder:
            yield Path(folder) / "source.onnx", Path(folder) / "target.onnx"
    finally:
        root.setLevel(level)
