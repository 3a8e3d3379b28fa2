"""Which engines of a store anybody needs: models and devices come and go, engines stay and fill the disk."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable

from vlm_ros.build.key import source_of
from vlm_ros.build.manifest import Manifest
from vlm_ros.build.store import Unneeded
from vlm_ros.core.bundle import PRECISIONS, Bundle
from vlm_ros.core.errors import BadBundle

Devices = Collection[tuple[str, str]]
"""Runtime with version, and device."""


def usable(manifest: Manifest, devices: Devices) -> bool:
    """Whether an engine was made for one of ``devices``."""
    return (manifest.key.runtime, manifest.key.device) in devices


def sources_of(bundles: Iterable[Bundle]) -> set[str]:
    """The checksums of all ONNX files of ``bundles``, as engine keys hold them; reads the files whole."""
    return {source for bundle in bundles for source in _sources_of(bundle)}


def unneeded_by(devices: Devices, sources: Collection[str], unused_s: float) -> Unneeded:
    """Engines for other devices, or for another version of a library that is here, are not needed.

    Nor are those that nobody found for ``unused_s`` seconds, if they are of models not among ``sources``, or for a
    library that is not here: a model may lie anywhere, and a library in another Python environment.
    """
    libraries = {runtime.split()[0] for runtime, _ in devices}

    def reason(manifest: Manifest, found_at_s: float) -> str:
        key, unused = manifest.key, time.time() - found_at_s
        if not usable(manifest, devices) and key.runtime.split()[0] in libraries:
            return f"for {key.runtime} on {key.device}"
        if unused < unused_s or (usable(manifest, devices) and key.source in sources):
            return ""
        what = "of a model" if usable(manifest, devices) else f"for {key.runtime}, a library"
        return f"{what} that is not here, and not used for {unused / 86400:.0f} days"

    return reason


def _sources_of(bundle: Bundle) -> Iterable[str]:
    for part in bundle.parts:
        for precision in PRECISIONS:
            try:
                yield source_of(bundle.onnx(part, precision))
            except BadBundle:
                continue
