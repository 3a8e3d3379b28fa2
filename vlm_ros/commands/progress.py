"""Long work on a terminal: a bar that moves, or plain lines where nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

OnStep = Callable[[str, int, int], None]


@contextmanager
def shown_steps() -> Iterator[OnStep]:
    """A callback for (what begins, steps done, steps in all) that shows them on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step, done, total: console.print(f"[{done}/{total}] {step}", markup=False, highlight=False)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=None)
        yield lambda step, done, total: progress.update(task, description=step, completed=done, total=total)
