"""Every error a user can meet. Each message says what was wrong, with which value, and what to do next."""

from __future__ import annotations

import errno
import importlib
from types import ModuleType

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The numbers of an ``OSError`` that says of a disk that it holds no more, or may hold no more of this."""


class VlmRosError(Exception):
    """Base of all errors that this package raises on purpose."""


class BadImage(VlmRosError):
    """A message whose encoding is unknown or whose sizes contradict each other."""


class BadBundle(VlmRosError):
    """A model folder that lacks a file, or whose files contradict each other."""


class BadConfig(VlmRosError):
    """A configuration value outside its range, of the wrong type, or not changeable now."""


class BadQuestion(VlmRosError):
    """A question, an answer form or a target that cannot be asked."""


class NoPicture(VlmRosError):
    """A question about what the camera sees while it shows nothing."""


class MissingEngine(VlmRosError):
    """A model part that has not been built for this device yet."""


class MissingLibrary(VlmRosError):
    """An optional library that this feature needs and this machine lacks."""


class BuildFailed(VlmRosError):
    """A model part that could not be turned into an engine."""


class NotEnoughMemory(VlmRosError):
    """A model that would not fit into the memory that is free."""


class ExportFailed(VlmRosError):
    """A checkpoint that could not be exported, or whose export does not answer as the checkpoint does."""


class BenchmarkFailed(VlmRosError):
    """A measurement that ended without a result."""


class NodeFailed(VlmRosError):
    """A process of the demo that died, or did not do what it was asked."""


class Cancelled(VlmRosError):
    """The caller asked to stop, and the work stopped."""


def require(module: str, install: str) -> ModuleType:
    """Import ``module``, or raise ``MissingLibrary`` with the command that installs it.

    ``install`` is what a user types, for example ``pip install 'vlm_ros[export]'``.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingLibrary(f"'{module}' is missing here ({error}): install it with  {install}") from error
