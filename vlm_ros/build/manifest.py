"""The page beside every engine that says what it is and how its bytes must be."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from vlm_ros.build.key import EngineKey
from vlm_ros.core.checksum import sha256_of

ENGINE = "engine"
"""The file that a runner opens."""

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """``sizes_bytes`` and ``checksums`` (SHA-256) are by file name; ``built_at_s`` is in seconds since 1970."""

    key: EngineKey
    sizes_bytes: dict[str, int]
    checksums: dict[str, str]
    built_at_s: float
    build_s: float

    @classmethod
    def of_files(cls, folder: Path, key: EngineKey, built_at_s: float, build_s: float) -> Manifest:
        """Of what lies in ``folder`` now."""
        paths = sorted(folder.iterdir())
        sizes = {path.name: path.stat().st_size for path in paths}
        return cls(key, sizes, {path.name: sha256_of(path) for path in paths}, built_at_s, build_s)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest in ``folder``; ``OSError``, ``ValueError``, ``TypeError`` or ``KeyError`` where it has none."""
        path = folder / MANIFEST
        if not path.is_file():  # reading a pipe would wait for ever
            raise FileNotFoundError(f"no file '{path}'")
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**content, "key": EngineKey(**content["key"])})

    def write(self, folder: Path) -> Path:
        """Put it into ``folder``; its path."""
        path = folder / MANIFEST
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", encoding="utf-8")
        return path

    @property
    def total_bytes(self) -> int:
        """The size of the engine with all its files."""
        return sum(self.sizes_bytes.values())


def fault_of(folder: Path, key: EngineKey | None = None) -> str:
    """Why what lies in ``folder`` must not be loaded; empty where every byte is right.

    With ``key`` it must be that engine; without, the one its folder's name says.
    """
    try:
        manifest = Manifest.read(folder)
        expected = manifest.key.name == folder.name if key is None else manifest.key == key
        if not expected:
            return "it was built for another model, precision, runtime or device"
        if ENGINE not in manifest.checksums:
            return "its manifest names no engine"
        return next(filter(None, (_file_fault(folder, manifest, name) for name in manifest.checksums)), "")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return f"it cannot be read ({error!r})"


def _file_fault(folder: Path, manifest: Manifest, name: str) -> str:
    size = (folder / name).stat().st_size
    if size != manifest.sizes_bytes[name]:
        return f"'{name}' has {size} bytes instead of {manifest.sizes_bytes[name]}"
    return "" if sha256_of(folder / name) == manifest.checksums[name] else f"'{name}' has changed since it was built"
