"""``vlm_ros ask``: any questions about any images, the answers free or held to a form while they are decoded."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vlm_ros.commands.answering import add_model_arguments, chosen_bundle, is_cut_form, print_answer
from vlm_ros.commands.batch_answering import BATCH, print_answers
from vlm_ros.commands.bounds import at_least
from vlm_ros.core.answer import AnswerForm, Choices, FreeText, JsonSchema, Regex
from vlm_ros.core.errors import BadQuestion

CUT = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help="an image file")
    parser.add_argument("question", metavar="QUESTION", help="what to ask")
    parser.add_argument(
        "--image", dest="images", type=Path, action="append", default=[], metavar="FILE", help="look at this one, too"
    )
    parser.add_argument("--question", dest="questions", action="append", default=[], metavar="Q", help="ask this, too")
    batch = f"answer at most so many at once, as memory allows (default: {BATCH})"
    parser.add_argument("--batch", type=int, default=BATCH, metavar="N", help=batch)
    add_model_arguments(parser)
    parser.add_argument("--deadline", type=float, metavar="S", help="stop after so many seconds")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--choices", metavar="A,B,C", help="answer with exactly one of these")
    form.add_argument("--regex", metavar="R", help="answer with a text that this matches as a whole")
    form.add_argument(
        "--schema", type=Path, metavar="FILE", help="answer with JSON that the JSON schema in FILE accepts"
    )


def run(arguments: argparse.Namespace) -> int:
    """Ask every question about every image; more than one answer comes as one JSON object a line, in their order.

    The status is 1 where an answer that was to have a form was cut before it was whole.
    """
    if arguments.deadline is not None:
        at_least(0, "--deadline", arguments.deadline)
    form = form_from_arguments(arguments)
    images = [arguments.image, *arguments.images]
    questions = [arguments.question, *arguments.questions]
    bundle = chosen_bundle(arguments)
    if len(images) == len(questions) == 1:
        held = not is_cut_form(print_answer(bundle, arguments, questions[0], form, arguments.deadline), form)
    else:
        held = print_answers(bundle, arguments, images, questions, form)
    return 0 if held else CUT


def form_from_arguments(arguments: argparse.Namespace) -> AnswerForm:
    """The form that the user asked for; free text where none was."""
    if arguments.choices is not None:
        return Choices(tuple(choice.strip() for choice in arguments.choices.split(",")))
    if arguments.regex is not None:
        return Regex(arguments.regex)
    if arguments.schema is not None:
        return _form_from_file(arguments.schema)
    return FreeText()


def _form_from_file(path: Path) -> JsonSchema:
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadQuestion(f"no JSON schema can be read from '{path}' ({error})") from error
    if not isinstance(schema, dict):
        raise BadQuestion(f"'{path}' holds a {type(schema).__name__}: a JSON schema is an object")
    return JsonSchema(schema)
