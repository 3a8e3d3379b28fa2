"""What is measured: a checkpoint, its bundle, and the bundle's other precisions."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlm_ros.benchmark.sizes import Sizes, sizes_from_parameters
from vlm_ros.build.building import build_bundle
from vlm_ros.build.choice import kept_precision
from vlm_ros.build.external_data import total_bytes
from vlm_ros.build.preflight import fits
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import AUTO, Bundle
from vlm_ros.core.errors import BadBundle, NotEnoughMemory
from vlm_ros.export.exporting import OPSETS, OnStep, export_bundle
from vlm_ros.runtime.free_memory import SKIP_VARIABLE

DECODER = "decoder_model_merged"
_NO_SAMPLES_NEEDED = ("int8", "q4", "quantized")
_OLD_ONNXRUNTIME = "1.23."


@dataclass(frozen=True)
class Material:
    """``checkpoint`` is ``None`` where the bundle comes without one: then there is no peer to compare with."""

    bundle: Bundle
    checkpoint: Path | None

    @property
    def parameters(self) -> int:
        """Weights of the fp32 graphs."""
        return sum(total_bytes(self.bundle.onnx(part)) for part in self.bundle.parts) // 4

    def has(self, part: str, precision: str) -> bool:
        """Whether there is a file of ``part`` at ``precision``."""
        try:
            self.bundle.onnx(part, precision)
        except BadBundle:
            return False
        return True

    def offers(self, precision: str) -> bool:
        """Whether the decoder, which counts most, comes at ``precision``."""
        return precision == AUTO or self.has(DECODER, precision)

    def mix(self, precision: str, store: EngineStore) -> dict[str, str]:
        """The precision of each part: what was chosen for this device, or fp32 where there is no file of another."""
        if precision == AUTO:
            from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder

            builder = OnnxRuntimeBuilder()
            return {part: kept_precision(self.bundle, part, store, builder) or "fp32" for part in self.bundle.parts}
        return {part: precision if self.has(part, precision) else "fp32" for part in self.bundle.parts}


def material_from_bundle(folder: Path) -> Material:
    """Somebody's own bundle; its checkpoint is looked for in a folder of that name within."""
    checkpoint = folder / "checkpoint"
    return Material(Bundle(folder), checkpoint if checkpoint.is_dir() else None)


def make_material(cache: Path, parameters: float, precisions: Sequence[str], on_step: OnStep) -> Material:
    """A LLaVA of about ``parameters`` random weights, made once and kept in ``cache``.

    ``NotEnoughMemory`` where so many would not fit while they are drawn.
    """
    sizes = sizes_from_parameters(parameters)
    folder = cache / f"llava-{sizes.parameters / 1e6:.0f}M"
    checkpoint = folder / "checkpoint"
    if not (checkpoint / "model_card.json").is_file():
        _check_memory(sizes)
        on_step(f"draw {sizes.parameters / 1e6:.0f} million weights", 0.0)
        from vlm_ros.benchmark.peer.checkpoint import make_checkpoint

        shutil.rmtree(checkpoint, ignore_errors=True)
        make_checkpoint(checkpoint, sizes)
    if not (folder / "config.json").is_file():
        export_bundle(checkpoint, folder, _opset(), on_step)
    material = material_from_bundle(folder)
    for precision in precisions:
        _make_precision(material, precision, on_step)
    return material


def _check_memory(sizes: Sizes) -> None:
    """Drawn, saved and exported in fp32, weights are in memory once, and nothing here takes less."""
    needed_bytes = 4 * sizes.parameters
    if not fits(needed_bytes):
        raise NotEnoughMemory(
            f"{sizes.parameters / 1e6:.0f} million weights take {needed_bytes / 1e9:.2f} GB while they are drawn, more "
            f"than is free: give fewer --parameters, end other programs, or set {SKIP_VARIABLE}=1 to try"
        )


def engines_of(material: Material, mix: Mapping[str, str], store: EngineStore) -> dict[str, Path]:
    """The engine of every part as a robot gets it, built where ``store`` lacks it; ``mix`` is precision by part."""
    engines = {}
    for part, precision in mix.items():
        engines.update(build_bundle(material.bundle, store, precision=precision, parts=[part], ignore_gate=True))
    return engines


def _make_precision(material: Material, precision: str, on_step: OnStep) -> None:
    """Write what can be written without sample inputs and is not there yet."""
    if precision not in _NO_SAMPLES_NEEDED:
        return
    from vlm_ros.build.precision.passes import write_part

    for part in material.bundle.parts:
        if not material.has(part, precision):
            on_step(f"make {part} in {precision}", 1.0)
            write_part(material.bundle, part, precision, ())


def _opset() -> int:
    """The faster operators, where this ONNX Runtime computes them rightly."""
    from vlm_ros.runtime.onnxruntime.library import ort

    return OPSETS[0] if ort.__version__.startswith(_OLD_ONNXRUNTIME) else OPSETS[-1]
