"""The build node as a process: builds once, finds what it built, says how far it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from robot_bench import MODEL, Bench

from vlm_ros.ros.qos import LATCHED
from vlm_ros_interfaces.action import BuildEngines
from vlm_ros_interfaces.msg import EngineStatus

CLIP = Path(__file__).resolve().parents[1] / "bundles" / "tiny_clip"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_it_builds_at_the_start_and_latches_its_status(bench: Bench, cache: Path) -> None:
    bench.start_node("build_node", model=MODEL)
    statuses = bench.listen(EngineStatus, "engine_status", LATCHED)
    bench.wait_for(lambda: statuses and statuses[-1].ready)
    late = bench.listen(EngineStatus, "engine_status", LATCHED)
    bench.wait_for(lambda: late)
    assert (late[0].model, late[0].stage, late[0].progress) == ("tiny_llava", EngineStatus.STAGE_READY, 1.0)
    assert list(cache.rglob("*.onnx")) or any(path.is_file() for path in cache.rglob("*"))

    goal = BuildEngines.Goal()
    result, feedback = bench.achieve(
        BuildEngines, "build_engines", goal, lambda _, feedback: feedback and feedback[-1].status.ready
    )
    assert result.success
    assert "ready" in result.message
    assert "was built before" in " ".join(piece.status.message for piece in feedback)

    goal = bench.send_goal(BuildEngines, "build_engines", BuildEngines.Goal(model="/nowhere"))
    result = bench.result(goal.get_result_async()).result
    assert not result.success
    assert "no model '/nowhere'" in result.message


def test_it_builds_the_gate_after_the_model_and_speaks_of_the_model_at_last(bench: Bench, cache: Path) -> None:
    statuses = bench.listen(EngineStatus, "engine_status", LATCHED)
    bench.start_node("build_node", model=MODEL, gate_model=CLIP)
    bench.wait_for(lambda: statuses and statuses[-1].ready)
    assert statuses[-1].model == "tiny_llava"
    built = {path.name.rsplit("-", 1)[0] for path in (cache / "vlm_ros" / "engines").iterdir() if path.is_dir()}
    assert {"vision_model", "text_model", "vision_encoder"} <= built


@pytest.mark.parametrize(("model", "status"), [(MODEL, 0), ("/nowhere", 1)])
def test_it_leaves_with_a_status_when_told_to(bench: Bench, cache: Path, model: object, status: int) -> None:
    assert bench.start_node("build_node", model=model, exit_when_done=True).wait(60) == status
