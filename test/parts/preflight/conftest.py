"""Lets the tests here use the graphs of the precision tests, and skips them where the onnx package is missing."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx")
sys.path.insert(0, str(Path(__file__).parents[1] / "precision"))
