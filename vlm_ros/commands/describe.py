"""``vlm_ros describe``: what an image shows, in the words of the model's own prompt."""

from __future__ import annotations

import argparse

from vlm_ros.commands.answering import add_image_arguments, chosen_bundle, print_answer
from vlm_ros.core.answer import FreeText


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_image_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Describe the image."""
    bundle = chosen_bundle(arguments)
    print_answer(bundle, arguments, bundle.card.describe_prompt, FreeText())
    return 0
