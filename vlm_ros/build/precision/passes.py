"""The precisions that can be made, and the files they are kept in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vlm_ros.build.external_data import external_files
from vlm_ros.build.key import source_of
from vlm_ros.build.origin import MARK
from vlm_ros.build.precision.activations import static_int8
from vlm_ros.build.precision.branches import refuse_inner_weights, without_branches
from vlm_ros.build.precision.files import read_model, write_model
from vlm_ros.build.precision.fp16 import fp16_from_fp32
from vlm_ros.build.precision.graph import Feeds, simplified
from vlm_ros.build.precision.onnx_library import Model, onnx
from vlm_ros.build.precision.per_token import dynamic_int8
from vlm_ros.build.precision.weight_only import int4_weights, int8_weights
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadConfig
from vlm_ros.core.seal import note

Pass = Callable[[Model, Sequence[Feeds]], Model]
"""From an fp32 graph and inputs that it meets in use to the graph of another precision; both stay as they are."""

PASSES: Mapping[str, Pass] = {
    "fp16": fp16_from_fp32,
    "int8": lambda model, samples: int8_weights(model),
    "q4": lambda model, samples: int4_weights(model),
    "q4f16": lambda model, samples: int4_weights(fp16_from_fp32(model, samples)),
    "quantized": lambda model, samples: dynamic_int8(model),
    "qdq": lambda model, samples: int8_weights(static_int8(model, samples)),
}
"""By suffix of the file. ``int8`` and ``q4`` narrow weights alone, ``quantized`` (dynamic) and ``qdq`` (static)
the activations too; what ``qdq`` leaves wide, tables of embeddings, becomes INT8 rows."""


def write_part(bundle: Bundle, part: str, precision: str, samples: Sequence[Feeds]) -> Path:
    """Make ``part`` of ``bundle`` at ``precision``, in a file beside the fp32 one; its path.

    ``samples`` are inputs that the part meets in use. ``BadConfig`` where that precision cannot be made,
    ``BuildFailed`` where the bundle cannot be written, or the graph holds weights in branches or loops that stay.
    """
    if precision not in PASSES:
        raise BadConfig(f"precision '{precision}' cannot be made: choose from {', '.join(PASSES)}")
    source = bundle.onnx(part)
    path = source.with_name(f"{part}_{precision}.onnx")
    wide = without_branches(simplified(read_model(source)), samples)
    refuse_inner_weights(wide)
    model = PASSES[precision](wide, samples)
    onnx.helper.set_model_props(model, {MARK: source_of(source)})
    write_model(model, path)
    note(bundle.folder, (path, *external_files(path)))
    return path
