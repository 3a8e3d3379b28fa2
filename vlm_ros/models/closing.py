"""What all models have in common that hold the runners of their parts: these are freed when the model is closed."""

from __future__ import annotations

from collections.abc import Mapping

from vlm_ros.runtime.runner import Runner


class Closing:
    """``_runners`` holds the active runners by part."""

    _runners: Mapping[str, Runner]

    def close(self) -> None:
        """Free the runners."""
        for runner in self._runners.values():
            runner.deactivate()
