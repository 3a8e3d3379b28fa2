"""Every advice once, on a machine that needs it; and none on a machine that does not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import onnx
import pytest

from vlm_ros.build.building import build_bundle
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import Bundle
from vlm_ros.diagnosis import cameras, engines, gpu, libraries, memory, power, ros, system
from vlm_ros.diagnosis.diagnosing import CHECKS, diagnose
from vlm_ros.diagnosis.finding import Level
from vlm_ros.diagnosis.probes import Reply

TINY = Path(__file__).parents[2] / "bundles" / "tiny_llava"
OK, WARNING, BROKEN = Level.OK, Level.WARNING, Level.BROKEN
JETSON = {"/etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic"}
OLD_JETSON = {"/etc/nv_tegra_release": "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref"}
FULL = "MemTotal: 8000000 kB\nMemAvailable: 500000 kB\nSwapTotal: 4000000 kB\n"
ZRAM = "Filename Type Size Used Priority\n/dev/zram0 partition 4000000 0 5\n"
MODES = "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n"
BUSY = "processor : 0\nmodel name : Cortex\nprocessor : 1\n"
RMW_FAULT = "rclpy._rclpy_pybind11.RCLError: failed to load rmw_cyclonedds_cpp"


def onnxruntime(version="1.23.2", providers=("CPUExecutionProvider",), packages=("onnxruntime",)):
    return json.dumps([version, providers, packages])


ADVICE = [
    (system.check_jetpack, WARNING, "nv_tegra_release", {"files": {"/etc/nv_tegra_release": "?"}}),
    (system.check_jetpack, BROKEN, "flash JetPack 6", {"files": OLD_JETSON}),
    (partial(system.check_python, version=(3, 8, 10)), BROKEN, "python3.12", {}),
    (partial(system.check_python, version=(3, 14, 0)), BROKEN, "python3.12", {}),
    (system.check_processor, WARNING, "top", {"files": {"/proc/cpuinfo": BUSY, "/proc/loadavg": "9.1 8.0 7.0 1/2 3"}}),
    (memory.check_memory, WARNING, "multi-user.target", {"files": {"/proc/meminfo": FULL}}),
    (memory.check_swap, WARNING, "fallocate", {"files": {**JETSON, "/proc/meminfo": FULL, "/proc/swaps": ZRAM}}),
    (memory.check_shared_memory, WARNING, "--ipc=host", {}),
    (
        power.check_power_mode,
        WARNING,
        "nvpmodel -m 2",
        {"files": {"/etc/nvpmodel.conf": MODES}, "nvpmodel": "NV Power Mode: 15W\n0"},
    ),
    (
        power.check_temperatures,
        WARNING,
        "fan",
        {"files": {"/sys/class/thermal/thermal_zone0/temp": "97500", "/sys/class/thermal/thermal_zone0/type": "gpu"}},
    ),
    (gpu.check_gpu, WARNING, "driver", {"nvidia_smi": Reply(fault="NVIDIA-SMI has failed")}),
    (gpu.check_cuda, WARNING, "nvidia-jetpack", {"files": JETSON}),
    (gpu.check_tensorrt, WARNING, "python3-libnvinfer", {"files": JETSON}),
    (gpu.check_tensorrt, WARNING, "pip install tensorrt", {"nvidia_smi": "RTX 4090, 24 GB, 550"}),
    (gpu.check_tensorrt, WARNING, "tensorrt>=10.3", {"tensorrt": "8.6.1"}),
    (gpu.check_tensorrt, WARNING, "--reinstall", {"tensorrt": Reply(fault="ImportError: libnvinfer.so.10")}),
    (gpu.check_pycuda, WARNING, "pip install --no-cache-dir pycuda", {"tensorrt": "10.3.0"}),
    (libraries.check_numpy, BROKEN, "numpy>=1.21", {}),
    (libraries.check_numpy, BROKEN, "numpy>=1.21", {"numpy": "1.19.5"}),
    (libraries.check_opencv, WARNING, "opencv-python-headless<5", {"cv2": Reply(fault="ImportError: libGL.so.1")}),
    (libraries.check_onnxruntime, BROKEN, "pip install onnxruntime", {}),
    (libraries.check_onnxruntime, BROKEN, "--upgrade", {"onnxruntime": onnxruntime("1.14.1")}),
    (
        libraries.check_onnxruntime,
        WARNING,
        "pip uninstall -y onnxruntime onnxruntime-gpu",
        {"onnxruntime": onnxruntime(packages=("onnxruntime", "onnxruntime-gpu"))},
    ),
    (libraries.check_onnxruntime, WARNING, "onnxruntime-gpu", {"onnxruntime": onnxruntime(), "nvidia_smi": "RTX 4090"}),
    (ros.check_ros, WARNING, "source /opt/ros/humble", {"files": {"/opt/ros/humble/setup.bash": ""}}),
    (
        ros.check_rclpy,
        BROKEN,
        "/usr/bin/python3",
        {"environment": {"ROS_DISTRO": "humble"}, "rclpy": Reply(absent=True)},
    ),
    (
        ros.check_rclpy,
        BROKEN,
        "ros-humble-rmw-cyclonedds-cpp",
        {
            "environment": {"ROS_DISTRO": "humble", "RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"},
            "rclpy": Reply(fault=RMW_FAULT),
        },
    ),
    (ros.check_transport, WARNING, "export FASTDDS_DEFAULT_PROFILES_FILE", {"rclpy": "rmw_fastrtps_cpp"}),
    (
        ros.check_transport,
        WARNING,
        "export FASTRTPS_DEFAULT_PROFILES_FILE",
        {"rclpy": "rmw_fastrtps_cpp", "environment": {"ROS_DISTRO": "humble", "FASTRTPS_DEFAULT_PROFILES_FILE": "/no"}},
    ),
    (ros.check_cv_bridge, WARNING, "numpy<2", {"cv_bridge": Reply(fault="AttributeError"), "numpy": "2.1.0"}),
    (
        ros.check_cv_bridge,
        WARNING,
        "opencv-python-headless<5",
        {"cv_bridge": Reply(fault="KeyError: 7"), "numpy": "1.26.4", "cv2": "5.0.0"},
    ),
    (ros.check_cv_bridge, WARNING, "ros-jazzy-cv-bridge", {"cv_bridge": Reply(fault="ImportError: cv_bridge_boost")}),
    (
        ros.check_interfaces,
        WARNING,
        "colcon build",
        {"rclpy": "rmw_fastrtps_cpp", "vlm_ros_interfaces": Reply(absent=True)},
    ),
    (
        cameras.check_cameras,
        WARNING,
        "ros2 daemon stop",
        {"rclpy": "rmw_fastrtps_cpp", "cameras": Reply(fault="no reply")},
    ),
    (partial(engines.check_models, bundles={}), BROKEN, "vlm_ros export", {}),
]


@pytest.mark.parametrize(("check", "level", "advice", "facts"), ADVICE)
def test_advice_is_given_when_the_machine_needs_it(machine, check, level, advice, facts):
    finding = check(machine(**facts))
    assert finding.level is level
    assert advice in finding.advice
    assert finding.value


HEALTHY = {
    "files": {
        **JETSON,
        "/proc/meminfo": "MemTotal: 64000000 kB\nMemAvailable: 50000000 kB\nSwapTotal: 0 kB\n",
        "/proc/cpuinfo": BUSY,
        "/proc/loadavg": "0.5 0.5 0.5 1/2 3",
        "/dev/shm/held": "",
        "/etc/os-release": 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
        "/etc/nvpmodel.conf": MODES,
        "/sys/class/thermal/thermal_zone0/temp": "45500",
        "/usr/local/cuda/version.json": '{"cuda": {"version": "12.6.68"}}',
        "/profile.xml": "<dds/>",
    },
    "environment": {"ROS_DISTRO": "humble", "FASTRTPS_DEFAULT_PROFILES_FILE": "/profile.xml"},
    "nvpmodel": "NV Power Mode: MAXN_SUPER\n2",
    "tensorrt": "10.3.0",
    "pycuda": "2024.1",
    "numpy": "1.21.5",
    "cv2": "4.5.4",
    "onnxruntime": onnxruntime(),
    "rclpy": "rmw_fastrtps_cpp",
    "cv_bridge": "/opt/ros/humble/local/lib/python3.10/dist-packages/cv_bridge/__init__.py",
    "vlm_ros_interfaces": "TargetPercept",
    "cameras": '[["/camera/image_raw", "Image", "RELIABLE", "VOLATILE"]]',
}


def test_no_advice_is_given_when_a_jetson_is_in_order(machine):
    from_here = (engines.check_store, engines.check_models, engines.check_room, system.check_python)
    findings = diagnose(machine(**HEALTHY), [check for check in CHECKS if check not in from_here])
    assert [finding for finding in findings if finding.advice] == []
    values = {finding.name: finding.value for finding in findings}
    assert values["JetPack"].startswith("Linux for Tegra 36.4.3")
    assert values["cameras"] == "/camera/image_raw (Image, RELIABLE, VOLATILE)"
    assert values["CUDA"] == "12.6.68"


def test_store_is_doubtful_when_it_cannot_be_written(machine, tmp_path):
    (tmp_path / "file").write_text("")
    finding = engines.check_store(machine(), tmp_path / "file" / "engines")
    assert finding.level is WARNING
    assert "XDG_CACHE_HOME" in finding.advice
    assert engines.check_store(machine(), tmp_path / "cache" / "engines").value.startswith("0 engines")


def test_store_is_doubtful_when_engines_are_of_another_runtime(machine, tmp_path):
    store = EngineStore(tmp_path)
    build_bundle(Bundle(TINY), store)
    assert engines.check_store(machine(), tmp_path).level is OK
    key = replace(store.entries()[0][1].key, runtime="onnxruntime 1.0.0")
    store.add(key, lambda engine: engine.write_bytes(b"old"))
    finding = engines.check_store(machine(), tmp_path)
    assert finding.level is WARNING
    assert "1 are stale, made for onnxruntime 1.0.0" in finding.value
    assert "vlm_ros engines prune" in finding.advice


def test_model_is_doubtful_when_it_does_not_fit_into_memory(machine, tmp_path):
    folder = shutil.copytree(TINY, tmp_path / "tiny")
    assert "tiny at fp32 needs about 0.06 GB" in room(machine, folder, 10**6).value
    assert room(machine, folder, 10**6).level is OK
    finding = room(machine, folder, 30_000)
    assert finding.level is WARNING
    assert "0.03 GB are free: it does not fit" in finding.value
    assert f"vlm_ros quantize {folder} --precision q4" in finding.advice


def test_precision_that_fits_is_named_when_the_model_has_one(machine, tmp_path):
    folder = shutil.copytree(TINY, tmp_path / "tiny")
    for graph in list((folder / "onnx").glob("*.onnx")):
        shutil.copy(graph, graph.with_name(f"{graph.stem}_q4.onnx"))
        if graph.stem == "decoder_model_merged":
            onnx.save(padded(onnx.load(graph), 20_000_000), graph)
    finding = room(machine, folder, 70_000)
    assert finding.level is WARNING
    assert f"vlm_ros build {folder} --precision q4" in finding.advice


def room(machine, folder, free_kb):
    return engines.check_room(machine(files={"/proc/meminfo": f"MemAvailable: {free_kb} kB\n"}), {"tiny": folder})


def padded(model, size_bytes):
    """``model`` with weights that nobody uses."""
    kind = onnx.TensorProto.UINT8
    model.graph.initializer.append(onnx.helper.make_tensor("padding", kind, [size_bytes], bytes(size_bytes), raw=True))
    return model


def test_models_say_whether_their_engines_are_built(machine, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    finding = engines.check_models(machine(), {"tiny_llava": TINY})
    assert finding.level is OK
    assert "not built for this device" in finding.value


def test_model_whose_files_were_not_copied_is_told_of(machine, tmp_path):
    (tmp_path / "onnx").mkdir()
    (tmp_path / "config.json").symlink_to("nowhere")
    (tmp_path / "onnx" / "model.onnx").symlink_to("nowhere")
    assert "links to a file that is not there" in engines.check_models(machine(), {"a": tmp_path}).value


def test_nothing_crashes_when_the_machine_has_nothing(machine):
    findings = diagnose(machine())
    assert len(findings) == len(CHECKS)
    assert not [finding for finding in findings if "cannot be told" in finding.value]


LATE = Reply(fault="did not answer within 30 s", late=True)
LIBRARIES = ("onnxruntime", "numpy", "cv2", "rclpy", "cv_bridge", "vlm_ros_interfaces", "cameras", "tensorrt", "pycuda")


def test_nothing_is_called_broken_when_it_only_came_too_late(machine):
    late = machine(environment={"ROS_DISTRO": "jazzy"}, **dict.fromkeys(LIBRARIES, LATE), nvidia_smi=LATE)
    checks = (*libraries.CHECKS, *ros.CHECKS, *cameras.CHECKS, *gpu.CHECKS)
    unknown = [finding for finding in diagnose(late, checks) if "did not answer within 30 s" in finding.value]
    assert len(unknown) == len(checks) - 2  # neither the release of ROS nor CUDA's toolkit is asked of a library
    assert {finding.level for finding in unknown} == {WARNING}
    assert {finding.advice.split("  #")[0] for finding in unknown} == {"vlm_ros doctor"}


def test_other_checks_go_on_when_one_fails(machine):
    def check_moon(machine):
        raise ZeroDivisionError("no moon")

    moon, numpy = diagnose(machine(numpy="2.0.0"), [check_moon, libraries.check_numpy])
    assert moon.level is WARNING
    assert "no moon" in moon.value
    assert numpy.level is OK
