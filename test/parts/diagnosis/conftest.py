"""Machines to look at: a folder for the root, variables and replies, nothing of the machine that runs the tests."""

from __future__ import annotations

import pytest

from vlm_ros.diagnosis.machine import Machine
from vlm_ros.diagnosis.probes import Reply


@pytest.fixture
def machine(tmp_path):
    """Makes a machine of files (path to text), environment variables, and replies (text, or a whole ``Reply``)."""

    def made(files=None, environment=None, **replies):
        for path, text in (files or {}).items():
            file = tmp_path / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        whole = {name: Reply(reply) if isinstance(reply, str) else reply for name, reply in replies.items()}
        named = {name.replace("nvidia_smi", "nvidia-smi"): reply for name, reply in whole.items()}
        return Machine(tmp_path, environment or {}, named)

    return made
