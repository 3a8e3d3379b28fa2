"""NumPy, OpenCV and ONNX Runtime."""

from __future__ import annotations

import json

from vlm_ros.diagnosis.finding import Finding, broken, doubtful, fine
from vlm_ros.diagnosis.machine import Machine

_OLDEST_NUMPY = (1, 21)
_OLDEST_ONNXRUNTIME = (1, 17)
_GPU_PROVIDERS = {"CUDAExecutionProvider", "TensorrtExecutionProvider"}


def version_from_text(text: str) -> tuple[int, int]:
    """The first two numbers of a version; 0 where there is none."""
    numbers = [int(word) if word.isdigit() else 0 for word in text.split(".")[:2]]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)


def check_numpy(machine: Machine) -> Finding:
    """NumPy."""
    reply = machine.reply("numpy")
    if not reply.text:
        return broken("NumPy", reply.fault or "none", "pip install 'numpy>=1.21'")
    if version_from_text(reply.text) < _OLDEST_NUMPY:
        return broken("NumPy", reply.text, "pip install 'numpy>=1.21'")
    return fine("NumPy", reply.text)


def check_opencv(machine: Machine) -> Finding:
    """OpenCV, which is used where it is there."""
    reply = machine.reply("cv2")
    if reply.fault:
        return doubtful("OpenCV", reply.fault, "pip install --force-reinstall 'opencv-python-headless<5'")
    return fine("OpenCV", reply.text or "none: pictures are read without it")


def check_onnxruntime(machine: Machine) -> Finding:
    """ONNX Runtime and its execution providers."""
    reply = machine.reply("onnxruntime")
    if not reply.text:
        return broken("ONNX Runtime", reply.fault or "none", "pip install onnxruntime")
    version, providers, packages = json.loads(reply.text)
    value = f"{version} with {', '.join(name.replace('ExecutionProvider', '') for name in providers)}"
    if version_from_text(version) < _OLDEST_ONNXRUNTIME:
        return broken("ONNX Runtime", value, "pip install --upgrade onnxruntime")
    if len(packages) > 1:
        mend = f"pip uninstall -y {' '.join(packages)} && pip install {packages[-1]}"
        return doubtful("ONNX Runtime", f"{value}; {' and '.join(packages)} overwrite each other", mend)
    if machine.has_gpu and not _GPU_PROVIDERS & set(providers) and not machine.reply("tensorrt").text:
        mend = (
            "pip uninstall -y onnxruntime && pip install onnxruntime-gpu  # on a Jetson: NVIDIA's wheel for its JetPack"
        )
        return doubtful("ONNX Runtime", f"{value}: the GPU stays idle", mend)
    return fine("ONNX Runtime", value)


CHECKS = (check_numpy, check_opencv, check_onnxruntime)
