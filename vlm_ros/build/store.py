"""Where engines are kept: every one whole and checked, or not there at all.

    <store>/<part>-<checksum of the key>/engine, manifest.json     finished engines
    <store>/building/                                             work that is not finished
    <store>/quarantine/                                           engines that were found bad

An engine is built under ``building``, written through to the disk, and renamed into its place in one
step. One lock lets one process write at a time, so that two builders never share the memory of a small
board, and whatever lies in ``building`` while nobody holds it was left by one that died.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vlm_ros.build.key import EngineKey
from vlm_ros.build.lock import is_held, locked, never
from vlm_ros.build.manifest import ENGINE, MANIFEST, Manifest, fault_of
from vlm_ros.core.errors import BuildFailed
from vlm_ros.core.places import engine_folder

Unneeded = Callable[[Manifest, float], str]
"""Of an engine and when it was last found, in seconds since 1970: why nobody needs it; empty where somebody may."""

_log = logging.getLogger(__name__)
_BUILDING = "building"
_QUARANTINE = "quarantine"


class EngineStore:
    """Engines by key in ``folder`` (``None``: the user's cache), which is made when the first is added."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or engine_folder()

    def version_of(self, key: EngineKey) -> int | None:
        """When the engine of ``key``, good or bad, was built, in nanoseconds; ``None`` where there is none, 0 where it
        does not say. Quick, for those who ask again and again."""
        try:
            return (self.folder / key.name / MANIFEST).stat().st_mtime_ns
        except OSError:
            return 0 if _there(self.folder / key.name) else None

    def find(self, key: EngineKey) -> Path | None:
        """The engine of ``key``, every byte of it checked; ``None`` where there is none that may be loaded.

        Only reads, so that a store can come with a read-only image. A bad engine is logged with the reason.
        """
        entry = self.folder / key.name
        if not _there(entry):
            return None
        fault = fault_of(entry, key)
        if fault:
            _log.warning("the engine '%s' must not be loaded: %s; it will be built again", entry, fault)
            return None
        with contextlib.suppress(OSError):
            os.utime(entry)
        return entry / ENGINE

    def add(self, key: EngineKey, build: Callable[[Path], None], cancelled: Callable[[], bool] = never) -> Path:
        """The engine of ``key``; where the store has none, ``build`` writes it to the path it is given.

        Waits while another process writes, and builds nothing if that one built it. A bad engine in its
        place goes to quarantine first. ``BuildFailed`` where the store cannot be written.
        """
        with self._writing(cancelled):
            found = self.find(key)
            if found is None:
                self._set_aside(self.folder / key.name)
                found = self._built(key, build)
            return found

    def entries(self) -> list[tuple[Path, Manifest]]:
        """The folder and manifest of every finished engine; the bytes are not checked."""
        found = []
        for folder in self._finished():
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                found.append((folder, Manifest.read(folder)))
        return found

    def verify(self) -> dict[Path, str]:
        """The folder of every bad engine, and what is wrong with it; empty where all are good."""
        faults = {folder: fault_of(folder) for folder in self._finished()}
        return {folder: fault for folder, fault in faults.items() if fault}

    def quarantine(self, cancelled: Callable[[], bool] = never) -> dict[Path, str]:
        """Set every bad engine aside; the folder each had, and what is wrong with it."""
        with self._writing(cancelled):
            faults = self.verify()
            for folder in faults:
                self._set_aside(folder)
            return faults

    def prune(self, unneeded: Unneeded, *, dry_run: bool = False) -> dict[Path, str]:
        """Remove the engines of which ``unneeded`` gives a reason, those that cannot be read, and the quarantine.

        What went, or would go with ``dry_run``, and why. Engines that a process holds stay (``lock.hold``).
        ``Cancelled`` while another process writes the store.
        """
        if not self.folder.is_dir():
            return {}
        with self._writing(cancelled=lambda: True):
            reasons = {folder: _reason(folder, unneeded) for folder in self._finished()}
            gone = {folder: reason for folder, reason in reasons.items() if reason and not is_held(folder / MANIFEST)}
            gone.update((path, "set aside as bad") for path in sorted((self.folder / _QUARANTINE).glob("*")))
            for path in () if dry_run else gone:
                _remove(path)
            return gone

    def _finished(self) -> list[Path]:
        aside = (_BUILDING, _QUARANTINE)
        return sorted(path for path in self.folder.glob("*") if path.is_dir() and path.name not in aside)

    @contextmanager
    def _writing(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Hold the store alone, without what dead builders left in it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder / "lock", cancelled):
                shutil.rmtree(self.folder / _BUILDING, ignore_errors=True)
                yield
        except OSError as error:
            raise BuildFailed(
                f"cannot write the engine store '{self.folder}' ({error}): make room on its disk, "
                f"or choose another folder by setting XDG_CACHE_HOME"
            ) from error

    def _set_aside(self, entry: Path) -> None:
        if not _there(entry):
            return
        target = self.folder / _QUARANTINE / f"{entry.name}-{time.time_ns()}"
        target.parent.mkdir(exist_ok=True)
        entry.rename(target)
        _log.warning("moved the bad engine '%s' to '%s'", entry, target)

    def _built(self, key: EngineKey, build: Callable[[Path], None]) -> Path:
        work = self.folder / _BUILDING / key.name
        work.mkdir(parents=True)
        try:
            self._build_in(work, key, build)
            entry = work.rename(self.folder / key.name)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        _write_through(self.folder)
        return entry / ENGINE

    def _build_in(self, work: Path, key: EngineKey, build: Callable[[Path], None]) -> None:
        started_s = time.monotonic()
        build(work / ENGINE)
        if not (work / ENGINE).is_file():
            raise BuildFailed(f"building '{key.part}' for {key.runtime} ended without an engine")
        Manifest.of_files(work, key, built_at_s=time.time(), build_s=time.monotonic() - started_s).write(work)
        for path in (*work.iterdir(), work):
            _write_through(path)


def _reason(folder: Path, unneeded: Unneeded) -> str:
    try:
        return unneeded(Manifest.read(folder), folder.stat().st_mtime)
    except (OSError, ValueError, TypeError, KeyError):
        return "its manifest cannot be read"


def _remove(path: Path) -> None:
    """A folder with all that is in it; of a link, which may lead anywhere, the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _there(path: Path) -> bool:
    try:
        path.lstat()
    except OSError:
        return False
    return True


def _write_through(path: Path) -> None:
    """Wait until the file or folder ``path`` is on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
