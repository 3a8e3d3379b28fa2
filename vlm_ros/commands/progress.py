"""Long work on a terminal: a bar that moves, or plain lines where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

Report = Callable[[str, float], None]
"""Told what is being done now, and which share of the whole is done, 0..1."""


@contextmanager
def shown_progress() -> Iterator[Report]:
    """A report that is shown on standard error, so that standard output holds the result alone."""
    console = Console(file=sys.stderr)  # this very file: what work prints meanwhile may be set aside
    if not console.is_terminal:
        yield lambda message, _: console.print(message, markup=False, highlight=False, soft_wrap=True)
        return
    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda message, share: progress.update(task, description=message, completed=share)
