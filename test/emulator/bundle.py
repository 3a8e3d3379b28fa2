"""A whole model on the emulated TensorRT: what the tests of a model family need of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from emulator import installed

if TYPE_CHECKING:
    from vlm_ros.core.bundle import Bundle
    from vlm_ros.models.model import Model


@contextmanager
def model_on_emulator(
    bundle: Bundle, folder: Path, *, precision: str = "fp32", version: str = "10.3.0", batch: int = 1
) -> Iterator[Model]:
    """The model of ``bundle``, each part built for TensorRT ``version`` and run there; engines go to ``folder``.

    It goes the way of ``vlm_ros build --runtime tensorrt``: the bundle's limits, the engine store, then ``load_model``.
    ``batch`` is how many questions the engines take at once. The model is closed at the end.
    """
    from vlm_ros.build.building import build_bundle
    from vlm_ros.build.store import EngineStore
    from vlm_ros.build.tensorrt.profiles import limits_from_config
    from vlm_ros.models.loading import load_model, parts_of

    with installed(version):
        from vlm_ros.build.tensorrt.builder import TensorRtBuilder
        from vlm_ros.build.tensorrt.options import TensorRtOptions

        limits = limits_from_config(bundle.config)
        builder = TensorRtBuilder(limits, TensorRtOptions(batch=batch), timings=folder / "timings")
        store, parts = EngineStore(folder / "engines"), parts_of(bundle)
        model = load_model(bundle, build_bundle(bundle, store, precision=precision, builder=builder, parts=parts))
        try:
            yield model
        finally:
            model.close()
