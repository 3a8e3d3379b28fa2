"""The whole of ``vlm_ros doctor`` on the machine that runs the tests."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({missing!r}))
from vlm_ros.cli import main
sys.exit(main(["doctor", *{options!r}]))
"""


def doctor(*options, missing=()):
    code = WITHOUT.format(missing=missing, options=options)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_one_object_tells_everything():
    done = doctor("--json")
    content = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert done.returncode == (1 if content["broken"] else 0)
    assert {"Python", "ONNX Runtime", "models", "memory"} <= {finding["name"] for finding in content["findings"]}
    assert all(finding["advice"] for finding in content["findings"] if finding["level"] != "ok")


@pytest.mark.parametrize("missing", [("numpy", "onnxruntime", "rich", "psutil", "yaml")])
def test_it_still_tells_the_rest_when_libraries_are_missing(missing):
    done = doctor(missing=missing)
    assert "Traceback" not in done.stderr
    assert "pip install numpy" in done.stdout
    assert "operating system" in done.stdout
