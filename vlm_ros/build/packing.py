"""A bundle as one file with checksums, for a robot that no network reaches.

The archive is a plain tar: weights do not compress. Its first member is ``checksums.json``, the SHA-256 of
every other member by name; the same file lies in an unpacked bundle, so that it can be verified later.
Every other member is a plain file, also where the bundle has links: the cache of the hub is made of them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from vlm_ros.build.external_data import external_files
from vlm_ros.build.wanted import chosen_parts
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.checksum import sha256_of
from vlm_ros.core.errors import NO_ROOM, BadBundle, BadConfig
from vlm_ros.core.lfs import check_content
from vlm_ros.core.seal import CHECKSUMS, files_in, sealed_files

_BESIDE = ("*.json", "*.jinja", "*.txt", "*.md", "LICENSE*", "NOTICE*")
"""What is taken along from beside the graphs: settings, words, and what a licence wants to travel with the model."""

_CHUNK_BYTES = 1 << 20

OnFile = Callable[[str, float], None]
"""Told the file that is worked on, and which share of the bytes was done before it, 0..1."""


def pack(
    bundle: Bundle,
    archive: Path,
    precisions: Collection[str] = (),
    on_file: OnFile = lambda *_: None,
    *,
    parts: Sequence[str] = (),
) -> int:
    """Write ``bundle`` to ``archive``, which appears when it is whole; returns its size in bytes.

    ``precisions`` are those to take along, empty: all; a part that has none of them comes at the most faithful that
    there is, since the model does not run without it. ``parts`` are those that it is run from, empty: all.
    Raises ``BadBundle`` where no part has such a precision, or a file is missing or differs from the checksums that
    ``bundle`` has, ``BadConfig`` where ``archive`` cannot be written.
    """
    files = _files(bundle, chosen_parts(bundle, parts), precisions)
    with _appearing(archive) as partial:
        if archive.is_dir():
            raise BadConfig(f"'{archive}' is a folder: give the archive a name, as in '{archive / bundle.name}.tar'")
        with tarfile.open(partial, "w", dereference=True) as tar:
            checksums = {name: sha256_of(path) for name, path in _told(files, on_file)}
            _check_seal(bundle.folder, checksums)
            _add_text(tar, CHECKSUMS, json.dumps(checksums, indent=2) + "\n")
            for name, path in files.items():
                tar.add(path, name, recursive=False)
    return archive.stat().st_size


def unpack(archive: Path, folder: Path, on_file: OnFile = lambda *_: None) -> Bundle:
    """The bundle in ``archive``, every byte checked, as ``folder``, which must not be there yet.

    Nothing is left of an archive that is damaged, cut, or holds what its checksums do not name: ``BadBundle``.
    ``BadConfig`` where ``folder`` cannot be made.
    """
    with _appearing(folder) as partial:
        if folder.exists():
            raise BadBundle(f"'{folder}' is there already: give another folder, or remove it")
        partial.mkdir(parents=True)
        try:
            _extract(archive, partial, on_file)
        except (OSError, tarfile.TarError, ValueError, RecursionError) as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise  # it is not the archive's fault
            raise BadBundle(f"'{archive}' is not a whole bundle ({error}): copy it again") from error
    return Bundle(folder)


def verify(folder: Path) -> list[str]:
    """What differs from the checksums that ``folder`` has, a line each; empty: nothing.

    A file that they do not name differs as well: a graph that was added may be the one that is run.
    ``BadBundle`` where there are no checksums.
    """
    expected = sealed_files(folder)
    if not expected:
        raise BadBundle(
            f"'{folder}' has no {CHECKSUMS} that names its files, so there is nothing to compare them with: copy it "
            f"again with it or, where you trust what lies there, make it with  vlm_ros bundle seal {folder}"
        )
    problems = [_problem(folder / name, name, checksum) for name, checksum in expected.items()]
    return [*filter(None, problems), *(f"{name} was added" for name in files_in(folder) if name not in expected)]


def _check_seal(folder: Path, checksums: Mapping[str, str]) -> None:
    """``BadBundle`` where ``checksums``, as the files are now, differ from those that ``folder`` has."""
    sealed = sealed_files(folder)
    differing = [name for name, checksum in checksums.items() if sealed.get(name, checksum) != checksum]
    if differing:
        raise BadBundle(
            f"'{folder}' differs from its {CHECKSUMS} in {', '.join(differing)}: copy it again or, where you changed "
            f"that yourself,  vlm_ros bundle seal {folder}"
        )


def _problem(path: Path, name: str, checksum: object) -> str:
    """What is wrong with the file ``name``; empty: nothing."""
    try:
        if not path.is_file():
            return f"{name} is missing"
        return "" if sha256_of(path) == checksum else f"{name} is damaged or was changed"
    except OSError as error:
        return f"{name} cannot be read ({error.strerror})"


def _files(bundle: Bundle, parts: Sequence[str], precisions: Collection[str]) -> dict[str, Path]:
    """What the bundle is run from, by name: the files beside the graphs, and the graphs with their external data."""
    if precisions and not any(_taken(bundle, part, precisions) for part in parts):
        raise BadBundle(f"'{bundle.folder}' has no graph at {', '.join(precisions)}: see its onnx/")
    found = {path for pattern in _BESIDE for path in bundle.folder.glob(pattern)}
    beside = [bundle.file(path.name) for path in found if path.name != CHECKSUMS and _is_shown(path)]
    graphs = [
        bundle.onnx(part, precision)
        for part in parts
        for precision in _taken(bundle, part, precisions) or [bundle.best_precision(part)]
    ]
    weights = {path for graph in graphs for path in external_files(graph)}
    for path in weights:
        check_content(path)
    return {path.relative_to(bundle.folder).as_posix(): path for path in sorted({*beside, *graphs, *weights})}


def _is_shown(path: Path) -> bool:
    return not (path.name.startswith(".") or path.is_dir())


def _taken(bundle: Bundle, part: str, precisions: Collection[str]) -> list[str]:
    """The precisions of ``part`` that are among ``precisions``, or all where none are named."""
    return [precision for precision in bundle.precisions(part) if precision in precisions or not precisions]


def _told(files: Mapping[str, Path], on_file: OnFile) -> Iterator[tuple[str, Path]]:
    total = sum(path.stat().st_size for path in files.values()) or 1
    done = 0
    for name, path in files.items():
        on_file(name, done / total)
        yield name, path
        done += path.stat().st_size


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _extract(archive: Path, folder: Path, on_file: OnFile) -> None:
    """Members are data: only plain files are written, only under names that stay inside ``folder``."""
    with tarfile.open(archive, "r:") as tar:
        first = tar.next()
        if first is None or first.name != CHECKSUMS:
            raise ValueError(f"it does not begin with {CHECKSUMS}")
        text = _content(tar, first).read()
        missing = _checksums_in(text)
        (folder / CHECKSUMS).write_bytes(text)
        total = archive.stat().st_size or 1
        while (member := tar.next()) is not None:
            if member.name not in missing or not _stays_inside(member.name):
                raise ValueError(f"'{member.name}' is not among its checksums")
            on_file(member.name, member.offset / total)
            if _write(_content(tar, member), folder / member.name) != missing.pop(member.name):
                raise ValueError(f"'{member.name}' is damaged")
    if missing:
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")


def _checksums_in(text: bytes) -> dict[str, str]:
    checksums = json.loads(text)
    if not (isinstance(checksums, dict) and checksums):
        raise ValueError(f"its {CHECKSUMS} names no files")
    return checksums


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    content = tar.extractfile(member) if member.isreg() else None
    if content is None:
        raise ValueError(f"'{member.name}' is not a plain file")
    return content  # type: ignore[return-value]  # typeshed calls it IO[bytes]


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _write(content: BinaryIO, path: Path) -> str:
    """Write ``content`` to ``path``; its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` that takes its name unless the block raises; then nothing is left of it.

    ``BadConfig`` where that cannot be written.
    """
    partial = path.resolve().parent / f".{path.name}.{os.getpid()}"
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.rename(path)
    except OSError as error:
        raise BadConfig(f"cannot make '{path}' ({error}): give a place that can be written and has room") from error
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        elif partial.exists():
            partial.unlink()
