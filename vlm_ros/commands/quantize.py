"""``vlm_ros quantize``: a model's graphs in narrower numbers, beside the ones it came with."""

from __future__ import annotations

import argparse
import json

from vlm_ros.commands.pictures import add_picture_arguments, pictures
from vlm_ros.commands.progress import shown_progress
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.places import find_bundle

DEFAULT = "int8,q4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Write ONNX files of other precisions beside the fp32 ones. int8 and q4 (blocks of 32) narrow the weights "
        "alone; quantized (dynamic, for ONNX Runtime) and qdq (static, calibrated) the activations too; fp16 and "
        "q4f16 keep fp32 where fp16 would overflow. `vlm_ros validate` tells what each costs in accuracy."
    )
    parser.add_argument("bundle", nargs="?", default="", metavar="BUNDLE", help="name or folder of a model")
    parser.add_argument("--precision", default=DEFAULT, metavar="P,P", help=f"default: {DEFAULT}")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    add_picture_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the files and say how large they are."""
    from vlm_ros.build.external_data import total_bytes
    from vlm_ros.build.precision.passes import PASSES, write_part
    from vlm_ros.commands.choosing import NO_SMALLER, checked_precisions, is_smaller
    from vlm_ros.models.recording import record

    bundle = Bundle(find_bundle(arguments.bundle))
    precisions = checked_precisions(arguments.precision, PASSES)
    written: dict[str, dict[str, int]] = {}
    with shown_progress() as report:
        report("looking at pictures to calibrate on", 0.0)
        recording = record(bundle, {}, pictures(arguments.images, arguments.pictures, seed=0))
        jobs = [(precision, part) for precision in precisions for part in recording.feeds]
        for number, (precision, part) in enumerate(jobs):
            report(f"{part} at {precision}", (number + 1) / (len(jobs) + 1))
            path = write_part(bundle, part, precision, recording.feeds[part])
            written.setdefault(precision, {})[part] = total_bytes(path)
    if arguments.json:
        print(json.dumps({"model": bundle.name, "bytes": written}))
        return 0
    for precision, sizes in written.items():
        print(f"{precision}: " + ", ".join(f"{part} {size / 1e6:.2f} MB" for part, size in sizes.items()))
    for precision, part in jobs:
        if not is_smaller(bundle, part, precision):
            print(f"{part} at {precision} is {NO_SMALLER}")
    return 0
