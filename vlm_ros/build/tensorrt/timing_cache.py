"""How fast kernels are on this GPU, kept from one build to the next: the next takes a fraction of the time."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from vlm_ros.core.places import engine_folder

_log = logging.getLogger(__name__)


class TimingCache:
    """The cache file in ``folder`` for one TensorRT on one GPU. Without it a build is slow, never wrong."""

    def __init__(self, runtime: str, device: str, folder: Path | None = None) -> None:
        digest = hashlib.sha256(f"{runtime} on {device}".encode()).hexdigest()[:16]
        self._path = (folder or engine_folder().parent / "timings") / f"{digest}.cache"

    def attach(self, config: Any) -> None:
        """Let the build of ``config`` start from what is known."""
        if not config.set_timing_cache(config.create_timing_cache(self._content()), False):
            _log.warning("'%s' is of another TensorRT or GPU: kernels are timed again", self._path)
            config.set_timing_cache(config.create_timing_cache(b""), False)

    def keep(self, config: Any) -> None:
        """Write what the build of ``config`` has learnt, in one step."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._path.parent, delete=False) as file:
                file.write(config.get_timing_cache().serialize())
            os.replace(file.name, self._path)  # noqa: PTH105  # the name is a string
        except OSError as error:
            _log.warning("cannot keep '%s' (%s): the next build times its kernels again", self._path, error)

    def _content(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError:
            return b""
