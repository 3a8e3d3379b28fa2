"""A CLIP that was exported as one graph for pictures and texts is run as the two that we export."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ImportError)

from onnx import compose, helper, numpy_helper  # noqa: E402

from vlm_ros.core.answer import Choices  # noqa: E402
from vlm_ros.core.bundle import Bundle  # noqa: E402
from vlm_ros.core.errors import BadBundle, BadQuestion  # noqa: E402
from vlm_ros.core.frame import Frame  # noqa: E402
from vlm_ros.models.clip import ClipModel  # noqa: E402
from vlm_ros.models.loading import load_model, parts_of  # noqa: E402

TINY = Path(__file__).parents[2] / "bundles" / "tiny_clip"
PICTURES = [np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8) for seed in range(3)]
TEXTS = ["a photo of a red ball", "a wall", "a photo of a green ball", "a floor"]
APART = ("text_batch_size", "image_batch_size")


def joint(rows: tuple = APART, *, outputs: tuple[str, ...] = ()) -> onnx.ModelProto:
    """Both graphs in one, with the cosines of all pairs as ``logits_per_image``; ``outputs`` are kept, empty: all."""
    text, vision = (onnx.load(TINY / "onnx" / f"{part}_model.onnx") for part in ("text", "vision"))
    for model, size in ((text, rows[0]), (vision, rows[1])):
        for value in (*model.graph.input, *model.graph.output):
            first = value.type.tensor_type.shape.dim[0]
            first.Clear()
            if isinstance(size, int):
                first.dim_value = size
            else:
                first.dim_param = size
    if rows == APART:  # some exporters leave all sizes open
        for size, name in zip(
            vision.graph.input[0].type.tensor_type.shape.dim[1:], ("num_channels", "height", "width"), strict=True
        ):
            size.Clear()
            size.dim_param = name
    text = compose.add_prefix(text, "t_", rename_inputs=False, rename_outputs=False)
    both = compose.merge_models(text, compose.add_prefix(vision, "v_", rename_inputs=False, rename_outputs=False), [])
    mask = helper.make_tensor_value_info("attention_mask", onnx.TensorProto.INT64, [rows[0], "sequence"])
    if all(value.name != mask.name for value in both.graph.input):
        both.graph.input.append(mask)
    both.graph.initializer.append(numpy_helper.from_array(np.array(100.0, np.float32), "scale"))
    both.graph.node.extend(
        [
            helper.make_node("Transpose", ["text_embeds"], ["turned"], perm=[1, 0]),
            helper.make_node("MatMul", ["image_embeds", "turned"], ["cosines"]),
            helper.make_node("Mul", ["cosines", "scale"], ["logits_per_image"]),
        ]
    )
    both.graph.output.append(helper.make_tensor_value_info("logits_per_image", onnx.TensorProto.FLOAT, ["i", "t"]))
    del both.graph.value_info[:]  # they say that there are as many pictures as texts
    for value in list(both.graph.output):
        if outputs and value.name not in outputs:
            both.graph.output.remove(value)
    return both


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tiny bundle without its graphs."""
    copy = Path(shutil.copytree(TINY, tmp_path / "joint"))
    shutil.rmtree(copy / "onnx")
    (copy / "onnx").mkdir()
    return copy


@pytest.fixture(scope="module")
def expected() -> tuple[np.ndarray, np.ndarray]:
    model = load_model(Bundle(TINY), threads=1)
    assert isinstance(model, ClipModel)
    found = model.similarities(PICTURES, TEXTS), model.probabilities(PICTURES, TEXTS)
    model.close()
    return found


@pytest.mark.parametrize(
    "rows", [APART, ("batch", "batch"), (1, 1), (2, 3)], ids=["apart", "one number for both", "one each", "fixed"]
)
def test_scores_are_those_of_two_graphs(rows: tuple, folder: Path, expected: tuple) -> None:
    onnx.save(joint(rows), folder / "onnx" / "model.onnx")
    model = load_model(Bundle(folder), threads=1)
    np.testing.assert_allclose(model.similarities(PICTURES, TEXTS), expected[0], atol=1e-5)  # type: ignore[attr-defined]
    np.testing.assert_allclose(model.probabilities(PICTURES, TEXTS), expected[1], atol=1e-4)  # type: ignore[attr-defined]
    observation = model.observe(Frame(PICTURES[0]))
    assert observation.ask("a photo of a {} ball", Choices(("red", "green"))).text in ("red", "green")
    with pytest.raises(BadQuestion, match="empty"):
        model.similarities(PICTURES, [" "])  # type: ignore[attr-defined]
    model.close()


def test_graph_runs_once_for_pictures_and_only_for_texts_that_are_new(folder: Path) -> None:
    onnx.save(joint(), folder / "onnx" / "model.onnx")
    model = load_model(Bundle(folder), threads=1)
    assert isinstance(model, ClipModel)
    runner = model._runners["text_model"]._joint
    runs, run = [], runner.run
    runner.run = lambda feeds, keep=(): runs.append({name: len(feed) for name, feed in feeds.items()}) or run(feeds)
    for texts in (TEXTS, TEXTS, [*TEXTS, "a door"]):
        model.similarities(PICTURES, texts)
    sizes = [(run["input_ids"], run["pixel_values"]) for run in runs]
    assert sorted(sizes) == sorted([(4, 1), (1, 3), (1, 3), (1, 3), (1, 1)])
    del runner.run
    model.close()


def test_two_graphs_are_taken_where_there_are_both(folder: Path) -> None:
    shutil.rmtree(folder / "onnx")
    shutil.copytree(TINY / "onnx", folder / "onnx")
    (folder / "onnx" / "model.onnx").write_bytes(b"not looked at")
    assert Bundle(folder).parts == ("text_model", "vision_model"), "nobody builds an engine of the third"
    assert set(parts_of(Bundle(folder))) == {"vision_model", "text_model"}
    load_model(Bundle(folder), threads=1).close()


def test_precision_may_be_in_the_name(folder: Path, expected: tuple) -> None:
    onnx.save(joint(), folder / "onnx" / "model_fp16.onnx")
    model = load_model(Bundle(folder), threads=1)
    np.testing.assert_allclose(model.similarities(PICTURES, TEXTS), expected[0], atol=1e-5)  # type: ignore[attr-defined]
    model.close()


@pytest.mark.parametrize("outputs", [("logits_per_image",), ("logits_per_image", "image_embeds")])
def test_graph_is_refused_with_the_reason_when_it_gives_no_vectors(outputs: tuple[str, ...], folder: Path) -> None:
    onnx.save(joint(outputs=outputs), folder / "onnx" / "model.onnx")
    with pytest.raises(
        BadBundle, match=r"gives .*logits_per_image.*without .*text_embeds.*vision_model and text_model"
    ):
        load_model(Bundle(folder), threads=1)


def test_scores_stay_on_the_emulated_tensorrt(folder: Path, tmp_path: Path, expected: tuple) -> None:
    """With a profile for the sizes of a picture that the graph leaves open."""
    from emulator.bundle import model_on_emulator

    onnx.save(joint(), folder / "onnx" / "model.onnx")
    with model_on_emulator(Bundle(folder), tmp_path) as model:
        found = model.similarities(PICTURES, TEXTS)  # type: ignore[attr-defined]
    np.testing.assert_allclose(found, expected[0], atol=1e-5)


def test_engine_of_it_is_built_and_found_as_any_other(folder: Path, tmp_path: Path, expected: tuple) -> None:
    from vlm_ros.build.building import build_bundle
    from vlm_ros.build.store import EngineStore
    from vlm_ros.service.checking import answer_check

    onnx.save(joint(), folder / "onnx" / "model.onnx")
    bundle = Bundle(folder)
    engines = build_bundle(bundle, EngineStore(tmp_path / "store"), check=answer_check(bundle, "fp32"))
    assert list(engines) == ["model"]
    model = load_model(bundle, engines, threads=1)
    np.testing.assert_allclose(model.similarities(PICTURES, TEXTS), expected[0], atol=1e-5)  # type: ignore[attr-defined]
    model.close()
