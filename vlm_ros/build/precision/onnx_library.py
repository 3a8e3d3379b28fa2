"""The home of the onnx package in ``build``, which a robot that only runs engines need not have."""

from __future__ import annotations

from typing import Any

from vlm_ros.core.errors import require

INSTALL = "pip install 'vlm_ros[quantize]'"

onnx = require("onnx", INSTALL)

Model = Any
"""An ``onnx.ModelProto``."""

Node = Any
"""An ``onnx.NodeProto``."""
