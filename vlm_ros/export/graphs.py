"""The graphs of a bundle: each exported, then checked against the checkpoint on ONNX Runtime."""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from pathlib import Path

import torch

from vlm_ros.core.agreement import Agreement
from vlm_ros.export.bundle_files import complete_file
from vlm_ros.export.onnx_export import write_onnx
from vlm_ros.export.resting import rest_on_disk
from vlm_ros.export.steps import OnStep
from vlm_ros.export.validation import check_part
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.runtime.runner import Runner


def export_graphs(family: str, checkpoint: Path, folder: Path, opset: int, on_step: OnStep) -> dict[str, Agreement]:
    """Write every part of ``checkpoint`` to ``folder``; ``ExportFailed`` where one differs from it.

    The module ``family`` offers ``load_checkpoint(folder)``, ``parts_of(model)`` and ``check_answers(model, runners)``,
    which compares what the parts answer together. It may offer ``card_facts(model)``, what only the weights tell and
    the card beside ``folder`` must say, and ``file_facts(model)``, the same of other files by name.
    """
    module = importlib.import_module(family)
    folder.mkdir()
    on_step("load the checkpoint", 0.0)
    model = module.load_checkpoint(checkpoint)
    rest_on_disk(model, folder)
    if hasattr(module, "card_facts"):
        complete_file(folder.parent / "model_card.json", module.card_facts(model))
    if hasattr(module, "file_facts"):
        for name, facts in module.file_facts(model).items():
            complete_file(folder.parent / name, facts)
    parts = module.parts_of(model)
    steps = 2 * len(parts) + 1
    runners: dict[str, Runner] = {}
    agreements: dict[str, Agreement] = {}
    with ExitStack() as stack, torch.random.fork_rng():
        torch.manual_seed(0)
        for number, part in enumerate(parts):
            path = folder / f"{part.name}.onnx"
            on_step(f"export {part.name}", 2 * number / steps)
            write_onnx(part, path, opset)
            on_step(f"check {part.name}", (2 * number + 1) / steps)
            runner = runners[part.name] = OnnxRuntimeRunner(path)
            stack.callback(runner.deactivate)
            runner.activate()
            agreements[part.name] = check_part(part, runner)
        on_step("check whole answers", 1 - 1 / steps)
        module.check_answers(model, runners)
    return agreements
