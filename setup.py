"""The ament_python package vlm_ros. Name and version come from package.xml."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from setuptools import find_packages, setup

# colcon runs a link to this file from a build folder: what is listed here is listed from the source.
SOURCE = Path(__file__).resolve().parent
MANIFEST = ElementTree.parse(SOURCE / "package.xml").getroot()
NAME = MANIFEST.findtext("name")
NODES = ("build_node", "inference_node", "navigator_node", "sim_node")


def shared(*folders: str) -> list[tuple[str, list[str]]]:
    """Every file under ``folders``, to be installed at the same place under share/vlm_ros."""
    found = []
    for folder in folders:
        for place, _, names in sorted(os.walk(SOURCE / folder)):
            relative = Path(place).relative_to(SOURCE)
            if names and relative.name != "__pycache__":
                found.append((f"share/{NAME}/{relative}", [str(relative / name) for name in sorted(names)]))
    return found


setup(
    name=NAME,
    version=MANIFEST.findtext("version"),
    description=MANIFEST.findtext("description"),
    license=MANIFEST.findtext("license"),
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={"": ["*.xml", "*.json", "*.yaml", "*.jinja", "py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        ("bin", [f"bin/{NAME}"]),
        *shared("launch", "config", "engines/demo"),
    ],
    zip_safe=False,
    python_requires=">=3.10",
    install_requires=[
        "jinja2>=3.1.6",
        "llguidance>=1.7",
        "numpy>=1.21",
        "onnxruntime>=1.17",
        "pillow>=9.0",
        "psutil>=5.9",
        "rich>=12.0",
        "tokenizers>=0.19",
    ],
    extras_require={
        "sim": ["imageio-ffmpeg>=0.4.9", "matplotlib>=3.5", "mujoco>=3.17"],
        "export": ["onnx>=1.17", "onnxscript>=0.5", "safetensors>=0.4", "torch>=2.9", "transformers>=5.20"],
        "quantize": ["matplotlib>=3.5", "onnx>=1.17", "onnxscript>=0.5"],
        "train": ["mujoco>=3.17", "safetensors>=0.4", "torch>=2.9", "transformers>=5.20"],
        "test": ["pytest>=7.0", "pytest-timeout>=2.1", "pytest-xdist>=3.0"],
    },
    entry_points={
        "console_scripts": [
            *[f"{node} = {NAME}.nodes.{node}:main" for node in NODES],
            f"{NAME} = {NAME}.cli:main",
        ],
    },
)
