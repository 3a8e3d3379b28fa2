"""The checksums of a bundle's files, in ``checksums.json`` beside them: what lies there is what was put there.

An export and an archive bring one. Who adds a file of ours to a bundle, notes it there; a file that only lies there
was added by somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.checksum import sha256_of
from vlm_ros.core.errors import BadConfig
from vlm_ros.core.json_file import replace_json

CHECKSUMS = "checksums.json"


def seal(folder: Path, beside: Path | None = None) -> dict[str, str]:
    """Write the SHA-256 of every file in ``folder``, by name, to its ``checksums.json``.

    ``folder`` may be about to replace entries of ``beside``: what will stay there of it is named as well.
    ``BadConfig`` where it cannot be written.
    """
    checksums = {name: sha256_of(folder / name) for name in files_in(folder)}
    if beside is not None and beside.is_dir():
        staying = [name for name in files_in(beside) if not (folder / Path(name).parts[0]).exists()]
        checksums.update({name: sha256_of(beside / name) for name in staying})
    _write(folder, checksums)
    return checksums


def note(folder: Path, paths: Iterable[Path]) -> None:
    """Name ``paths``, files in ``folder`` that were written just now, in its ``checksums.json`` where it has one."""
    sealed = sealed_files(folder)
    if sealed:
        _write(folder, {**sealed, **{path.relative_to(folder).as_posix(): sha256_of(path) for path in paths}})


def sealed_files(folder: Path) -> dict[str, str]:
    """The checksums that ``folder`` has of its files, by name; empty where it has none.

    ``BadBundle`` where they cannot be read.
    """
    return Bundle(folder).optional_json(CHECKSUMS)


def files_in(folder: Path) -> list[str]:
    """The names of all files in ``folder``, sorted; not hidden ones nor the checksums. ``onnx`` may be a link."""
    paths = {*folder.rglob("*"), *(folder / "onnx").rglob("*")} - {folder / CHECKSUMS}
    names = {path.relative_to(folder) for path in paths if path.is_file()}
    return sorted(name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts))


def _write(folder: Path, checksums: Mapping[str, str]) -> None:
    try:
        replace_json(folder / CHECKSUMS, dict(sorted(checksums.items())))
    except OSError as error:
        raise BadConfig(f"cannot write '{folder / CHECKSUMS}' ({error}): copy the bundle elsewhere") from error
