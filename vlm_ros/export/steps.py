"""How an export says how far it is."""

from __future__ import annotations

from collections.abc import Callable

OnStep = Callable[[str, float], None]
"""Told which step begins now, and which share of the whole is done, 0..1."""


def say_nothing(step: str, share: float) -> None:
    """An ``OnStep`` for those who only wait for the end."""
