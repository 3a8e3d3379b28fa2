from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vlm_ros.core.answer import Choices
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, BuildFailed, MissingEngine
from vlm_ros.core.frame import Frame
from vlm_ros.models.loading import load_model, warm_up
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.runner import Runner


def test_model_answers_when_loaded_from_its_bundle(tiny: Bundle) -> None:
    model = load_model(tiny, threads=1)
    warm_up(model)
    assert model.observe(Frame(np.zeros((8, 8, 3), np.uint8))).ask("Ball?", Choices(("no",))).text == "no"
    model.close()


@pytest.mark.parametrize(("kind", "nearest"), [("lava", "llava"), ("clop", "clip")])
def test_bundle_is_refused_with_the_nearest_family_when_its_own_is_unknown(
    tmp_path: Path, kind: str, nearest: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(BadBundle, match=f"'{kind}'.* nearest that is: {nearest}"):
        load_model(Bundle(tmp_path))


@pytest.mark.parametrize("config", ["{}", '{"model_type": null}'])
def test_bundle_is_refused_when_nothing_says_what_model_it_is(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(BadBundle, match="has no 'model_type', which says what model it is: copy it again"):
        load_model(Bundle(tmp_path))


def test_part_is_named_when_the_bundle_lacks_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llava"}')
    with pytest.raises(BadBundle, match="onnx/vision_encoder.onnx"):
        load_model(Bundle(tmp_path))


def test_built_engine_is_taken_when_there_is_one(tiny: Bundle, tmp_path: Path) -> None:
    engine = tmp_path / "built.onnx"
    with pytest.raises(MissingEngine, match=r"built\.onnx"):
        load_model(tiny, {"embed_tokens": engine})
    engine.write_bytes(b"damaged")
    with pytest.raises(BuildFailed, match=r"built\.onnx"):
        load_model(tiny, {"embed_tokens": engine})
    engine.write_bytes(tiny.onnx("embed_tokens").read_bytes())
    load_model(tiny, {"embed_tokens": engine}, threads=1).close()


def test_parts_are_freed_when_the_last_one_does_not_load(
    tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Runner] = []

    def remembered(path: Path, **options: object) -> Runner:
        made.append(runner_for(path, threads=1))
        return made[-1]

    monkeypatch.setattr("vlm_ros.models.loading.runner_for", remembered)
    engine = tmp_path / "built.onnx"
    engine.write_bytes(b"damaged")
    with pytest.raises(BuildFailed):
        load_model(tiny, {"decoder_model_merged": engine})
    assert len(made) == 3
    for runner in made:
        with pytest.raises(RuntimeError, match="not active"):
            runner.inputs  # noqa: B018
