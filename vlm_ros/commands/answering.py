"""What `describe` and `ask` share: one question about one image file, answered on standard output."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from vlm_ros.core.answer import Answer, AnswerForm
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.places import find_bundle


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
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def chosen_bundle(arguments: argparse.Namespace) -> Bundle:
    """The bundle that the arguments name."""
    return Bundle(find_bundle(arguments.model))


def print_answer(
    bundle: Bundle, arguments: argparse.Namespace, question: str, form: AnswerForm, deadline_s: float | None = None
) -> None:
    """Ask ``question`` about the image and print the answer, as it is decoded or as JSON at the end."""
    from vlm_ros.models.loading import load_model
    from vlm_ros.vision.loading import frame_from_file

    frame = frame_from_file(arguments.image)
    check_memory(bundle, arguments.precision)
    model = load_model(bundle, precision=arguments.precision)
    try:
        on_text = None if arguments.json else _show
        answer = model.observe(frame).ask(question, form, deadline_s=deadline_s, on_text=on_text)
    finally:
        model.close()
    if arguments.json:
        print(json.dumps(json_from_answer(answer, bundle.name), ensure_ascii=False))
        return
    print()
    if not answer.complete:
        print(f"(cut after {answer.tokens} tokens: {answer.finish.value})", file=sys.stderr)


def check_memory(bundle: Bundle, precision: str) -> None:
    """``NotEnoughMemory`` before a board runs out of it."""
    from vlm_ros.build.run_preflight import check_run_memory

    check_run_memory(bundle, graphs_of(bundle, precision))


def graphs_of(bundle: Bundle, precision: str) -> dict[str, tuple[Path, str]]:
    """By part: the ONNX file that is run when ``precision`` is asked for, and its own precision."""
    from vlm_ros.models.loading import parts_of

    precisions = {part: bundle.best_precision(part, precision) for part in parts_of(bundle)}
    return {part: (bundle.onnx(part, chosen), chosen) for part, chosen in precisions.items()}


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
