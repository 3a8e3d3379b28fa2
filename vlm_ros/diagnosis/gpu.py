"""The GPU, CUDA, TensorRT and pycuda."""

from __future__ import annotations

import json

from vlm_ros.diagnosis.finding import Finding, doubtful, fine
from vlm_ros.diagnosis.machine import Machine

_OLDEST_TENSORRT = 10


def check_gpu(machine: Machine) -> Finding:
    """The GPU, its memory and driver."""
    reply = machine.reply("nvidia-smi")
    if reply.text:
        return fine("GPU", "; ".join(reply.text.splitlines()))
    if machine.is_jetson:
        return fine("GPU", "the board's own, which shares its memory")
    if reply.fault:
        return doubtful(
            "GPU", reply.fault, "install the driver again and reboot; a container needs  docker run --gpus all"
        )
    return fine("GPU", "none of NVIDIA: the model runs on the processor")


def check_cuda(machine: Machine) -> Finding:
    """The CUDA toolkit."""
    version = _cuda_version(machine)
    if version:
        return fine("CUDA", version)
    if machine.is_jetson:
        return doubtful("CUDA", "no toolkit", "sudo apt install nvidia-jetpack")
    return fine("CUDA", "no toolkit")


def check_tensorrt(machine: Machine) -> Finding:
    """TensorRT's Python bindings."""
    reply = machine.reply("tensorrt")
    if reply.absent:
        return _absent_tensorrt(machine)
    if reply.fault:
        return doubtful("TensorRT", reply.fault, "sudo apt install --reinstall python3-libnvinfer libnvinfer-bin")
    if int(reply.text.split(".")[0]) < _OLDEST_TENSORRT:
        return doubtful(
            "TensorRT", reply.text, "flash JetPack 6 or newer, or  pip install 'tensorrt>=10.3': 8 is not used"
        )
    return fine("TensorRT", reply.text)


def check_pycuda(machine: Machine) -> Finding:
    """pycuda, which holds TensorRT's memory."""
    reply = machine.reply("pycuda")
    if reply.text:
        return fine("pycuda", reply.text)
    if not machine.reply("tensorrt").text:
        return fine("pycuda", "none, and none is needed without TensorRT")
    value = "none" if reply.absent else reply.fault
    return doubtful("pycuda", value, "PATH=/usr/local/cuda/bin:$PATH pip install --no-cache-dir pycuda")


def _absent_tensorrt(machine: Machine) -> Finding:
    if machine.is_jetson:
        advice = "sudo apt install python3-libnvinfer; a virtual environment sees it with  --system-site-packages"
        return doubtful("TensorRT", "none", advice)
    if machine.has_gpu:
        return doubtful("TensorRT", "none", "pip install tensorrt")
    return fine("TensorRT", "none, and none is needed without a GPU")


def _cuda_version(machine: Machine) -> str:
    try:
        return str(json.loads(machine.text("/usr/local/cuda/version.json"))["cuda"]["version"])
    except (ValueError, KeyError, TypeError):
        return ""


CHECKS = (check_gpu, check_cuda, check_tensorrt, check_pycuda)
