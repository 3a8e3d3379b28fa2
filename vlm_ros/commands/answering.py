"""What `describe` and `ask` share: one question about one image file, answered on standard output."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlm_ros.build.tensorrt.options import PORTABLE, TensorRtOptions
from vlm_ros.build.vendors import RUNTIMES, TENSORRT
from vlm_ros.core.answer import Answer, AnswerForm, FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.places import find_bundle

if TYPE_CHECKING:
    from vlm_ros.build.run_preflight import Graphs
    from vlm_ros.models.model import Model


def add_image_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the image, the model and the form of the output."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help="an image file")
    add_model_arguments(parser)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the model and the form of the output."""
    parser.add_argument("--model", default="", metavar="BUNDLE", help="name or folder of a model (default: demo)")
    parser.add_argument(
        "--precision", default="", metavar="P", help="run the files of this precision (default: the most faithful)"
    )
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        default="",
        help="run the engines that `vlm_ros build` made for it (default: the ONNX files)",
    )
    add_portable_argument(parser, "run the engines of TensorRT that were built")
    add_gate_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def add_gate_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the way past the gate."""
    parser.add_argument(
        "--ignore-gate", action="store_true", help="use parts that `vlm_ros validate` found to fail their gate"
    )


def add_portable_argument(parser: argparse.ArgumentParser, does: str) -> None:
    """Declare how far TensorRT's engines go; ``does`` says what the command does with them."""
    parser.add_argument(
        "--portable",
        choices=PORTABLE,
        default=PORTABLE[0],
        help=f"{does} for later TensorRT of its major version, all GPUs from Ampere on (not on a Jetson), or both",
    )


def chosen_bundle(arguments: argparse.Namespace) -> Bundle:
    """The bundle that the arguments name."""
    return Bundle(find_bundle(arguments.model))


def print_answer(
    bundle: Bundle, arguments: argparse.Namespace, question: str, form: AnswerForm, deadline_s: float | None = None
) -> Answer:
    """Ask ``question`` about the image and print the answer, as it is decoded or as JSON at the end."""
    from vlm_ros.vision.loading import frame_from_file

    frame = frame_from_file(arguments.image)
    model, _ = load_checked(
        bundle,
        arguments.precision,
        arguments.runtime,
        portable=arguments.portable,
        ignore_gate=arguments.ignore_gate,
    )
    try:
        on_text = None if arguments.json else _show
        answer = model.observe(frame).ask(question, form, deadline_s=deadline_s, on_text=on_text)
    finally:
        model.close()
    if arguments.json:
        print(json.dumps(json_from_answer(answer, bundle.name), ensure_ascii=False))
        return answer
    print()
    if not answer.complete:
        warning = "; it may lack the form that was asked for" if is_cut_form(answer, form) else ""
        print(f"(cut after {answer.tokens} tokens: {answer.finish.value}{warning})", file=sys.stderr)
    return answer


def is_cut_form(answer: Answer, form: AnswerForm) -> bool:
    """Whether ``answer`` was to have a ``form`` and ended before: nobody must take it for one that has it."""
    return not answer.complete and not isinstance(form, FreeText)


def load_checked(
    bundle: Bundle,
    precision: str,
    runtime: str = "",
    batch: int = 1,
    *,
    portable: str = PORTABLE[0],
    ignore_gate: bool = False,
) -> tuple[Model, int]:
    """The model of ``bundle``, and how many questions it may answer at once, as memory allows, at most ``batch``.

    It runs the ONNX files at ``precision`` or, where ``runtime`` is named, the engines that were built for it, as
    ``portable`` as is said.
    ``NotEnoughMemory`` before a board runs out of it, ``BadBundle`` where a part was made of an older fp32 graph,
    ``BuildFailed`` for a part of which the validator found that it fails its gate, unless ``ignore_gate``.
    """
    from vlm_ros.build.origin import check_origins
    from vlm_ros.build.run_preflight import batch_limit, check_run_memory
    from vlm_ros.build.verdicts import check_verdicts
    from vlm_ros.models.loading import load_model

    built_for = 1
    if runtime:
        graphs, built_for = _engines_of(bundle, precision or "fp32", runtime, batch, portable)
    else:
        graphs = _files_of(bundle, precision)
    check_origins(bundle, graphs)
    if not ignore_gate:
        check_verdicts(bundle, {part: chosen for part, (_, chosen) in graphs.items()})
    check_run_memory(bundle, graphs, batch=built_for, gpu=runtime == TENSORRT)
    limit = batch_limit(bundle, graphs, batch, gpu=runtime == TENSORRT)
    if not runtime:
        return load_model(bundle, precision=precision), limit
    return load_model(bundle, {part: path for part, (path, _) in graphs.items()}), limit


def _files_of(bundle: Bundle, precision: str) -> Graphs:
    """By part: the ONNX file that is run when ``precision`` is asked for, and its own precision."""
    from vlm_ros.models.loading import parts_of

    precisions = {part: bundle.best_precision(part, precision) for part in parts_of(bundle)}
    return {part: (bundle.onnx(part, chosen), chosen) for part, chosen in precisions.items()}


def _engines_of(bundle: Bundle, precision: str, runtime: str, batch: int, portable: str) -> tuple[Graphs, int]:
    """Engines, and for how many questions at once: ``batch`` or, where none were built for these, one.

    ``MissingEngine`` where there are none at all.
    """
    from vlm_ros.build.store import EngineStore
    from vlm_ros.build.vendors import builder_for
    from vlm_ros.build.wanted import wanted_engines
    from vlm_ros.models.loading import parts_of

    for_all, for_one = (
        wanted_engines(
            bundle,
            EngineStore(),
            precision,
            builder_for(runtime, bundle, TensorRtOptions(batch=size, portable=portable)),
            parts_of(bundle),
        )
        for size in (batch, 1)
    )
    chosen = for_one if for_all.missing and not for_one.missing else for_all
    graphs = {part: (path, chosen.parts[part].key.precision) for part, path in chosen.find().items()}
    return graphs, chosen.builder.batch


def json_from_answer(answer: Answer, model: str) -> dict[str, Any]:
    """The object that ``--json`` prints; times in seconds."""
    return {
        "text": answer.text,
        "finish": answer.finish.value,
        "tokens": answer.tokens,
        "confidence": round(answer.confidence, 6),
        "first_token_s": round(answer.first_token_s, 6),
        "total_s": round(answer.total_s, 6),
        "tokens_per_s": round(answer.tokens_per_s, 3),
        "model": model,
    }


def _show(text: str) -> None:
    """Print a piece of the answer; what a model says must not steer the terminal."""
    print("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text), end="", flush=True)
