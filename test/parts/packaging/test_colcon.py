"""colcon finds the package and the interface package inside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COLCON = shutil.which("colcon", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


@pytest.mark.skipif(COLCON is None, reason="colcon is not installed")
def test_colcon_finds_both_packages_when_started_in_the_repository(root, tmp_path):
    command = [COLCON, "--log-base", str(tmp_path), "list", "--names-only"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert sorted(listed) == ["vlm_ros", "vlm_ros_interfaces"]
