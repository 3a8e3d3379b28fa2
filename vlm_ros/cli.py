"""``vlm_ros``: the same core without ROS, one command per file in ``commands``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from vlm_ros.core.errors import NO_ROOM, VlmRosError

COMMANDS = {
    "demo": "drive a simulated robot to a target and show what it sees",
    "evaluate": "measure how often the robot finds its target in simulated rooms",
    "describe": "say what an image shows",
    "ask": "ask a question about an image",
    "match": "say how well images and texts go together",
    "build": "build a model for this device",
    "engines": "list, check and clear away what was built",
    "quantize": "write a model's graphs in narrower numbers",
    "validate": "compare a model's precisions with its fp32 graphs, layer by layer",
    "models": "list the models that run here, and where to get them",
    "bundle": "pack a model for a robot without a network, and check it there",
    "export": "export a checkpoint to a model that runs without torch",
    "train": "train the demo model",
    "bench": "measure how fast a model answers here, against transformers on the same weights",
    "doctor": "tell what this machine has, what does not fit together, and the line that mends it",
}
"""Each command is the module of its name in ``commands``, imported only when it is asked for."""

FAILED = 2
INTERRUPTED = 130
UNREAD = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status.

    2 for an error the user can mend, 130 when interrupted, 141 where whoever read the output, as ``head``, has gone.
    """
    arguments = _parse(sys.argv[1:] if argv is None else argv)
    try:
        status: int = arguments.run(arguments)
        print(end="", flush=True)
    except BrokenPipeError:
        _drop_output()
        return UNREAD
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        _drop_output()
        print(f"vlm_ros: not all could be written ({error}): make room, or write elsewhere", file=sys.stderr)
        return FAILED
    except VlmRosError as error:
        print(f"vlm_ros: {' '.join(str(error).split())}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _drop_output() -> None:
    """What is still to be written at the exit goes nowhere."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """Only the command that ``argv`` names declares its arguments: help stays fast whatever the others import."""
    parser = argparse.ArgumentParser(prog="vlm_ros", description="A vision-language model beside the robot's camera.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    named = next((word for word in argv if not word.startswith("-")), None)
    for name, help in COMMANDS.items():
        command = commands.add_parser(name, help=help, description=help.capitalize() + ".")
        if name == named:
            module = importlib.import_module(f"vlm_ros.commands.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
