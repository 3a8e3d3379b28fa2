"""How MuJoCo draws."""

import os
import subprocess
import sys

import pytest

from vlm_ros.core.errors import MissingLibrary
from vlm_ros.sim import gl


def test_variable_wins_when_it_is_set(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert gl.choose_gl() == "osmesa"


def test_egl_is_chosen_when_nothing_is_set(monkeypatch):
    monkeypatch.delenv("MUJOCO_GL")
    assert gl.choose_gl() == "egl"


def test_osmesa_is_chosen_when_egl_is_missing(monkeypatch):
    monkeypatch.delenv("MUJOCO_GL")
    monkeypatch.setitem(gl._LIBRARIES, "egl", ("libNoSuchEgl.so.1",))
    monkeypatch.setitem(gl._LIBRARIES, "osmesa", ("libc.so.6",))
    assert gl.choose_gl() == "osmesa"


def test_packages_are_named_when_there_is_neither(monkeypatch):
    monkeypatch.delenv("MUJOCO_GL")
    for name in gl._LIBRARIES:
        monkeypatch.setitem(gl._LIBRARIES, name, ("libNoSuchGl.so.1",))
    with pytest.raises(MissingLibrary, match="apt-get install libegl1 .*libosmesa6"):
        gl.choose_gl()


@pytest.mark.parametrize(("variables", "kept"), [({}, False), ({"MESA_SHADER_CACHE_DISABLE": "false"}, True)])
def test_drawing_leaves_no_shaders_on_the_disk_unless_told_to(variables, kept, tmp_path):
    """Mesa maps what it keeps there, which ends a process without a word when the disk is full."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MESA_")}
    code = "from vlm_ros.sim.views import draw_views; list(draw_views([0], 1))"
    environment = {**inherited, "XDG_CACHE_HOME": str(tmp_path), **variables}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    assert (tmp_path / "mesa_shader_cache").exists() == kept
