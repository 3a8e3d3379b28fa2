"""`vlm_ros export`: from a transformers checkpoint to a bundle that was checked against it."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vlm_ros.core.errors import BadBundle, ExportFailed, require
from vlm_ros.export.bundle_files import read_json, write_bundle_files

FAMILIES = {"llava": "vlm_ros.export.llava"}
"""``model_type`` of ``config.json`` to the module that knows the family."""

DEFAULT_OPSET = 20
"""The newest that every runtime we serve reads: TensorRT 10.3 of JetPack 6 knows no operator that 23 adds."""

OnStep = Callable[[str, int, int], None]
"""Told what begins now, how many steps are done, and how many there are."""


def export_bundle(checkpoint: Path, out: Path, opset: int = DEFAULT_OPSET, on_step: OnStep = lambda *_: None) -> Path:
    """Export ``checkpoint`` to the bundle ``out`` and return ``out``.

    Everything is made and checked in a folder beside ``out``, which takes its place at the end: a
    failed export leaves ``out`` as it was. Files in ``out`` that no export writes are kept.
    Raises ``BadBundle`` for a checkpoint that cannot be read, ``ExportFailed`` where a graph differs from it.
    """
    family = _family_of(checkpoint)
    out.parent.mkdir(parents=True, exist_ok=True)
    with _replacing(out) as folder:
        write_bundle_files(checkpoint, folder)
        _export_parts(family, checkpoint, folder, opset, on_step)
    return out


def _family_of(checkpoint: Path) -> str:
    """The module of the checkpoint's family."""
    if not checkpoint.is_dir():
        raise BadBundle(f"no checkpoint folder at '{checkpoint}': give one that holds config.json and the weights")
    model_type = read_json(checkpoint / "config.json").get("model_type")
    if model_type not in FAMILIES:
        raise BadBundle(f"'{checkpoint}' is a '{model_type}': this version exports {', '.join(sorted(FAMILIES))}")
    return FAMILIES[model_type]


def _export_parts(family: str, checkpoint: Path, folder: Path, opset: int, on_step: OnStep) -> None:
    for library in ("torch", "transformers", "onnxscript", "onnxruntime"):
        require(library, "pip install 'vlm_ros[export]'")
    from vlm_ros.export.greedy import check_tokens
    from vlm_ros.export.onnx_export import write_onnx
    from vlm_ros.export.validation import check_part

    onnx = folder / "onnx"
    onnx.mkdir()
    on_step("load the checkpoint", 0, 1)
    module = importlib.import_module(family)
    model = module.load_checkpoint(checkpoint)
    parts = module.parts_of(model)
    steps = 2 * len(parts) + 2
    with ExitStack() as stack:
        runners = {}
        for number, part in enumerate(parts):
            path = onnx / f"{part.name}.onnx"
            on_step(f"export {part.name}", 1 + 2 * number, steps)
            write_onnx(part, path, opset)
            on_step(f"check {part.name}", 2 + 2 * number, steps)
            runners[part.name] = stack.enter_context(_active(path))
            check_part(part, runners[part.name])
        on_step("check greedy decoding", steps - 1, steps)
        check_tokens(model, runners)
    on_step("done", steps, steps)


@contextmanager
def _active(path: Path):
    import onnxruntime

    class R:
        def __init__(self):
            self.s = onnxruntime.InferenceSession(path)

        @property
        def inputs(self):
            return {i.name: i for i in self.s.get_inputs()}

        def run(self, f):
            return dict(zip([o.name for o in self.s.get_outputs()], self.s.run(None, f)))

    yield R()


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` whose entries replace those of ``out`` once everything went well."""
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield folder
        out.mkdir(exist_ok=True)
        for entry in folder.iterdir():
            if (out / entry.name).is_dir():
                shutil.rmtree(out / entry.name)
            os.replace(entry, out / entry.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
