"""``vlm_ros bundle``: pack a model into one file for a robot that no network reaches, and check it there."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from vlm_ros.commands.progress import shown_progress
from vlm_ros.core.bundle import PRECISIONS, Bundle
from vlm_ros.core.errors import BadConfig
from vlm_ros.core.places import find_bundle

DIFFERS = 1
_ALONG = "take only these along, and of parts that have none of them the most faithful (default: all)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    pack = actions.add_parser("pack", help="write a bundle and its checksums to one file")
    pack.add_argument("bundle", metavar="BUNDLE", help="name or folder of a model")
    pack.add_argument("--out", type=Path, required=True, metavar="FILE", help="the archive, a tar file")
    pack.add_argument("--precision", default="", metavar="P,P", help=_ALONG)
    unpack = actions.add_parser("unpack", help="check every byte of an archive and make a bundle of it")
    unpack.add_argument("archive", type=Path, metavar="FILE", help="what `pack` wrote")
    unpack.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the bundle, a new one")
    verify = actions.add_parser("verify", help="compare a bundle with the checksums that came with it")
    seal = actions.add_parser("seal", help="make the checksums of a bundle that came without, or that you changed")
    for action in (verify, seal):
        action.add_argument("bundle", metavar="BUNDLE", help="name or folder of a model")
    for action in (pack, unpack, verify, seal):
        action.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says; status 1 where a bundle differs from its checksums."""
    return {"pack": _pack, "unpack": _unpack, "verify": _verify, "seal": _seal}[arguments.action](arguments)


def _pack(arguments: argparse.Namespace) -> int:
    from vlm_ros.build.packing import pack
    from vlm_ros.models.loading import parts_of

    precisions = [name.strip() for name in arguments.precision.split(",") if name.strip()]
    unknown = sorted(set(precisions) - set(PRECISIONS))
    if unknown:
        raise BadConfig(f"no precision {', '.join(unknown)}: known are {', '.join(PRECISIONS)}")
    bundle = Bundle(find_bundle(arguments.bundle))
    _check_beside_graphs(bundle)
    with shown_progress() as report:
        size_bytes = pack(bundle, arguments.out, precisions, report, parts=parts_of(bundle))
    _say(arguments, {"archive": str(arguments.out), "bytes": size_bytes}, f"{arguments.out}: {size_bytes / 1e6:.1f} MB")
    return 0


def _check_beside_graphs(bundle: Bundle) -> None:
    """``BadBundle`` for a file that is missed on the robot only: a model needs more than its graphs."""
    from vlm_ros.language.tokenizer import Tokenizer

    Tokenizer.from_bundle(bundle)
    bundle.image_processor  # noqa: B018  # reading it is the check


def _unpack(arguments: argparse.Namespace) -> int:
    from vlm_ros.build.packing import unpack

    with shown_progress() as report:
        bundle = unpack(arguments.archive, arguments.out, report)
    _say(arguments, {"bundle": str(bundle.folder), "parts": bundle.parts}, f"{bundle.folder}: every byte is right")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from vlm_ros.build.packing import verify

    folder = find_bundle(arguments.bundle)
    problems = verify(folder)
    _say(arguments, {"bundle": str(folder), "problems": problems}, f"{folder}: {len(problems)} files differ")
    if not arguments.json:
        print("\n".join(problems), file=sys.stderr)
    return DIFFERS if problems else 0


def _seal(arguments: argparse.Namespace) -> int:
    from vlm_ros.core.seal import seal

    bundle = Bundle(find_bundle(arguments.bundle))
    _check_beside_graphs(bundle)
    checksums = seal(bundle.folder)
    _say(arguments, {"bundle": str(bundle.folder), "checksums": checksums}, f"{bundle.folder}: {len(checksums)} files")
    return 0


def _say(arguments: argparse.Namespace, content: dict[str, object], line: str) -> None:
    print(json.dumps(content) if arguments.json else line)
