"""Files of bundles may lie, be called and be filled otherwise than ours; what is spoilt is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", exc_type=ImportError)

from foreign import DECODER, EMBED, VISION, answers, same  # noqa: E402

from vlm_ros.core.bundle import Bundle  # noqa: E402
from vlm_ros.core.errors import VlmRosError  # noqa: E402


@pytest.mark.parametrize("text_config", [None, {"max_position_embeddings": None}])
def test_answers_are_ours_when_the_configuration_leaves_things_empty(
    text_config: object, folder: Path, ours: list
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"text_config": text_config}))
    assert same(answers(Bundle(folder)), ours)


def with_external_data(folder: Path) -> Path:
    """The decoder's weights in a file beside it."""
    data = folder / "onnx" / f"{DECODER}.onnx_data"
    model = onnx.load(folder / "onnx" / f"{DECODER}.onnx")
    onnx.save(
        model, folder / "onnx" / f"{DECODER}.onnx", save_as_external_data=True, location=data.name, size_threshold=1024
    )
    return data


def test_answers_are_ours_when_weights_lie_beside_the_graph(folder: Path, ours: list) -> None:
    with_external_data(folder)
    assert same(answers(Bundle(folder)), ours)


PLACEHOLDER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights beside it": (lambda folder: with_external_data(folder).unlink(), f"{DECODER}.*onnx_data"),
    "too few weights beside it": (
        lambda folder: with_external_data(folder).write_bytes(b"few"),
        rf"{DECODER}\.onnx.*out of bounds",
    ),
    "placeholder for weights": (
        lambda folder: with_external_data(folder).write_text(PLACEHOLDER),
        "onnx_data' is a placeholder of Git LFS.*git lfs pull",
    ),
    "placeholder": (
        lambda folder: (folder / "onnx" / f"{VISION}.onnx").write_text(PLACEHOLDER),
        f"{VISION}.onnx' is a placeholder of Git LFS.*git lfs pull",
    ),
    "placeholder for the tokenizer": (
        lambda folder: (folder / "tokenizer.json").write_text(PLACEHOLDER),
        "tokenizer.json' is a placeholder of Git LFS",
    ),
    "page of a server": (
        lambda folder: (folder / "onnx" / f"{EMBED}.onnx").write_text("<!doctype html>"),
        f"cannot load .*{EMBED}.onnx.*again",
    ),
    "half a file": (
        lambda folder: (folder / "onnx" / f"{DECODER}.onnx").write_bytes(b"\x08\x08" * 40),
        f"cannot load .*{DECODER}.onnx.*again",
    ),
    "no preprocessor": (
        lambda folder: (folder / "preprocessor_config.json").unlink(),
        "lacks 'preprocessor_config.json'",
    ),
    "empty preprocessor": (lambda folder: (folder / "preprocessor_config.json").write_text("{}"), "'size': None"),
    "broken template": (
        lambda folder: (folder / "chat_template.jinja").write_text("{% for %}"),
        "chat template is not valid",
    ),
    "template without the image": (
        lambda folder: (folder / "chat_template.jinja").write_text("{{ messages[0]['content'][1]['text'] }}"),
        "'<image>' 0 times",
    ),
    "end that is no number": (
        lambda folder: (folder / "generation_config.json").write_text('{"eos_token_id": "</s>"}'),
        "eos_token",
    ),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_bundle_is_refused_with_the_reason_when_a_file_is_not_what_it_should_be(fault: str, folder: Path) -> None:
    spoil, said = SPOILT[fault]
    spoil(folder)
    with pytest.raises(VlmRosError, match=said):
        answers(Bundle(folder))


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", f"onnx/{EMBED}.onnx"])
def test_link_is_named_when_what_it_leads_to_was_not_copied(name: str, folder: Path) -> None:
    (folder / name).unlink()
    (folder / name).symlink_to("../../blobs/4d7a2146")
    with pytest.raises(VlmRosError, match=f"{name}' links to a file that is not there"):
        answers(Bundle(folder))


def moved(folder: Path, names: dict[str, str]) -> None:
    for part, name in names.items():
        (folder / "onnx" / f"{part}.onnx").rename(folder / name)


@pytest.mark.parametrize(
    "names",
    [
        {
            VISION: "onnx/vision_encoder_fp16.onnx",
            EMBED: "onnx/embed_tokens_q4f16.onnx",
            DECODER: f"onnx/{DECODER}_q4.onnx",
        },
        {VISION: "visual.onnx", EMBED: "embedding.onnx", DECODER: "llm.onnx"},
        {VISION: "onnx/vision_encoder_q8.onnx", EMBED: "onnx/embed_tokens.onnx", DECODER: "onnx/model_bnb4.onnx"},
    ],
    ids=["one precision each", "bare names", "unknown precision"],
)
def test_answers_are_ours_when_files_have_other_names(names: dict[str, str], folder: Path, ours: list) -> None:
    moved(folder, names)
    assert same(answers(Bundle(folder)), ours)


def test_most_faithful_file_is_taken_unless_a_precision_is_named(folder: Path, ours: list) -> None:
    (folder / "onnx" / f"{DECODER}.onnx").rename(folder / "onnx" / f"{DECODER}_fp16.onnx")
    (folder / "onnx" / f"{DECODER}_q4.onnx").write_bytes(b"not looked at")
    assert Bundle(folder).precisions(DECODER) == ("fp16", "q4")
    assert same(answers(Bundle(folder)), ours)
    with pytest.raises(VlmRosError, match="_q4.onnx"):
        answers(Bundle(folder), precision="q4")
    with pytest.raises(VlmRosError, match="no part at int8: it has fp16, fp32, q4"):
        answers(Bundle(folder), precision="int8")


def test_parts_that_cannot_be_had_at_the_precision_run_at_their_own(folder: Path, ours: list) -> None:
    (folder / "onnx" / f"{DECODER}.onnx").rename(folder / "onnx" / f"{DECODER}_q4.onnx")
    assert [Bundle(folder).best_precision(part, "q4") for part in (VISION, EMBED, DECODER)] == ["fp32", "fp32", "q4"]
    assert same(answers(Bundle(folder), precision="q4"), ours)


def test_precision_is_to_be_made_where_all_parts_are_there_to_make_it_of(folder: Path) -> None:
    shutil.copy(folder / "onnx" / f"{DECODER}.onnx", folder / "onnx" / f"{DECODER}_q4.onnx")
    with pytest.raises(VlmRosError, match=r"make it with  vlm_ros quantize .* --precision q4"):
        answers(Bundle(folder), precision="q4")


@pytest.mark.parametrize("precision", ["foo", "../x", "bnb4"])
def test_precision_that_nobody_makes_is_not_advised(precision: str, folder: Path) -> None:
    bundle = Bundle(folder)
    with pytest.raises(VlmRosError, match=f"'{VISION}' at fp32, not at {precision}: choose one of these"):
        bundle.onnx(VISION, bundle.best_precision(VISION, precision))


def test_answers_are_ours_when_there_is_no_generation_config(folder: Path, ours: list) -> None:
    (folder / "generation_config.json").unlink()
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": settings}))
    assert same(answers(Bundle(folder)), ours)
