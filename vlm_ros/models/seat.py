"""Which model is in service, and how another takes its place between two pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable

from vlm_ros.models.model import Model

Change = Callable[[Model], Model]
"""Given the model in service, returns the one that follows it, and frees what nobody needs any more."""


def _nothing() -> None:
    pass


class ModelSeat:
    """Holds the model that answers. Another is offered from any thread and sits down when the worker has a moment."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._offer: tuple[Change, Callable[[], None]] | None = None
        self._closed = False

    @property
    def model(self) -> Model:
        """The model in service; only the worker's thread may work with it."""
        return self._model

    def offer(self, change: Change, withdraw: Callable[[], None] = _nothing) -> None:
        """Have ``change`` done before the next picture, in the worker's thread; ``withdraw`` where it never will be."""
        with self._lock:
            late = self._closed
            if not late:
                self._offer = change, withdraw
        if late:
            withdraw()

    def settle(self) -> None:
        """Do the change that was offered, if any: what the worker calls between two pictures."""
        with self._lock:
            offer, self._offer = self._offer, None
        if offer is not None:
            self._model = offer[0](self._model)

    def close(self) -> None:
        """Free the model, once nobody works with it any more; what was offered is withdrawn."""
        with self._lock:
            self._closed = True
            offer, self._offer = self._offer, None
        if offer is not None:
            offer[1]()
        self._model.close()
