"""Bundles that others exported answer as ours do, or are refused with the reason."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ImportError)

import surgery  # noqa: E402
from onnx import TensorProto  # noqa: E402

from vlm_ros.core.answer import FreeText  # noqa: E402
from vlm_ros.core.bundle import Bundle  # noqa: E402
from vlm_ros.core.errors import VlmRosError  # noqa: E402
from vlm_ros.core.frame import Frame  # noqa: E402
from vlm_ros.models.batching import Request, ask_all  # noqa: E402
from vlm_ros.models.loading import load_model  # noqa: E402

TINY = Path(__file__).parents[2] / "bundles" / "tiny_llava"
VISION, EMBED, DECODER = "vision_encoder", "embed_tokens", "decoder_model_merged"
QUESTIONS = ("Is there a red ball?", "Describe the scene.")
Change = Callable[[onnx.ModelProto], None]


def answers(bundle: Bundle, precision: str = "") -> list[tuple[str, float]]:
    """What the model says of two questions about one picture, and how sure it is."""
    frame = picture(5)
    model = load_model(bundle, threads=1, precision=precision)
    try:
        observation = model.observe(frame)
        given = [observation.ask(question, FreeText(max_tokens=8)) for question in QUESTIONS]
    finally:
        model.close()
    return [(answer.text, answer.confidence) for answer in given]


def picture(seed: int) -> Frame:
    return Frame(np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8))


@pytest.fixture(scope="session")
def ours() -> list[tuple[str, float]]:
    return answers(Bundle(TINY))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny bundle."""
    shutil.copytree(TINY, tmp_path / "foreign")
    return tmp_path / "foreign"


def change(folder: Path, part: str, *changes: Change, name: str = "") -> None:
    """Write the part of our bundle as ``changes`` make it."""
    model = onnx.load(TINY / "onnx" / f"{part}.onnx")
    for apply in changes:
        apply(model)
    onnx.save(model, folder / "onnx" / f"{name or part}.onnx")


def same(given: list[tuple[str, float]], expected: list[tuple[str, float]], tolerance: float = 1e-4) -> bool:
    texts = [text for text, _ in given] == [text for text, _ in expected]
    return texts and all(
        confidence == pytest.approx(wanted, rel=tolerance)
        for (_, confidence), (_, wanted) in zip(given, expected, strict=True)
    )


def short_names(name: str) -> str:
    return re.sub(r"(past)_key_values\.(\d)\.(\w+)|present\.(\d)\.(\w+)", _underscored, name)


def _underscored(found: re.Match[str]) -> str:
    _, layer, kind, new_layer, new_kind = found.groups()
    return f"past_{kind}_{layer}" if layer else f"present_{new_kind}_{new_layer}"


DECODERS: dict[str, tuple[Change, ...]] = {
    "past.0.key": (lambda model: surgery.rename(model, lambda name: name.replace("past_key_values", "past")),),
    "past_key_0": (lambda model: surgery.rename(model, short_names),),
    "present_key_values.0.key": (
        lambda model: surgery.rename(model, lambda name: name.replace("present.", "present_key_values.")),
    ),
    "other names": (
        lambda model: surgery.rename(
            model, lambda name: name.replace("inputs_embeds", "embeds").replace("logits", "lm_logits")
        ),
    ),
    "tokens before heads": (surgery.tokens_first,),
    "keys with values": (surgery.keys_with_values,),
    "new tokens only": (surgery.new_tokens_only,),
    "int32": (lambda model: surgery.retype(model, kind=TensorProto.INT32, of=TensorProto.INT64),),
    "no positions": (surgery.without_positions,),
    "no mask": (surgery.without_mask,),
    "neither": (surgery.without_positions, surgery.without_mask),
    "positions in rows": (surgery.position_rows,),
    "logits to keep": (lambda model: surgery.add_input(model, "num_logits_to_keep", TensorProto.INT64, []),),
    "cache position": (lambda model: surgery.add_input(model, "cache_position", TensorProto.INT64, ["sequence"]),),
    "branches": (surgery.with_branches,),
    "all of the cache in one": (surgery.all_in_one,),
    "one row of positions": (surgery.one_row_of_positions,),
    "logits without tokens": (surgery.logits_without_tokens,),
    "mask of booleans": (surgery.mask_of(TensorProto.BOOL),),
    "mask of floats": (surgery.mask_of(TensorProto.FLOAT),),
    "mask in squares": (lambda model: surgery.square_mask(model, TensorProto.FLOAT),),
    "mask in squares of halves": (lambda model: surgery.square_mask(model, TensorProto.FLOAT16),),
    "mask in squares of booleans": (lambda model: surgery.square_mask(model, TensorProto.BOOL),),
    "mask in squares of integers": (lambda model: surgery.square_mask(model, TensorProto.INT64),),
    "one prompt": (surgery.rows(1),),
    "logits to keep in a row": (lambda model: surgery.add_input(model, "num_logits_to_keep", TensorProto.INT64, [1]),),
}


@pytest.mark.parametrize("form", DECODERS)
def test_answers_are_ours_when_the_decoder_has_another_form(form: str, folder: Path, ours: list) -> None:
    change(folder, DECODER, *DECODERS[form])
    assert same(answers(Bundle(folder)), ours)


IN_BATCHES: dict[str, tuple[str, tuple[Change, ...]]] = {
    **{form: (DECODER, changes) for form, changes in DECODERS.items()},
    "tiles of pictures": (VISION, (surgery.tiles_of_pictures,)),
    "pictures without a batch": (VISION, (surgery.without_batch,)),
    "one picture": (VISION, (surgery.rows(1),)),
    "sizes of each picture": (
        VISION,
        (lambda model: surgery.add_input(model, "image_sizes", TensorProto.INT64, ["batch", 2]),),
    ),
    "sizes of one picture": (
        VISION,
        (lambda model: surgery.add_input(model, "image_sizes", TensorProto.INT64, [1, 2]),),
    ),
    "pictures put in place": (EMBED, (surgery.merging_embedding,)),
}


@pytest.mark.parametrize("form", IN_BATCHES)
def test_batches_are_answered_as_one_after_the_other_when_a_part_has_another_form(form: str, folder: Path) -> None:
    """At once where the form allows it."""
    part, changes = IN_BATCHES[form]
    change(folder, part, *changes)
    model = load_model(Bundle(folder), threads=1)
    requests = [Request(picture(seed), question, FreeText(6)) for seed in (5, 6) for question in QUESTIONS]
    try:
        batched, single = (list(ask_all(model, requests, max_batch=size)) for size in (4, 1))
    finally:
        model.close()
    assert [answer.text for answer in batched] == [answer.text for answer in single]
    assert len({answer.text for answer in single}) == 4


HALVES = {
    "all but the cache": ("inputs_embeds", "logits"),
    "the cache alone": [
        f"{side}.{layer}.{kind}"
        for side in ("past_key_values", "present")
        for layer in range(2)
        for kind in ("key", "value")
    ],
}


@pytest.mark.parametrize("which", HALVES)
def test_answers_are_nearly_ours_when_some_of_the_decoder_is_half_precision(
    which: str, folder: Path, ours: list
) -> None:
    change(folder, DECODER, lambda model: surgery.retype(model, names=HALVES[which]))
    assert same(answers(Bundle(folder)), ours, tolerance=0.1)


def test_answers_are_ours_when_the_embedding_takes_int32(folder: Path, ours: list) -> None:
    change(folder, EMBED, lambda model: surgery.retype(model, kind=TensorProto.INT32, of=TensorProto.INT64))
    assert same(answers(Bundle(folder)), ours)


def test_answers_are_ours_when_the_vision_encoder_takes_one_picture_without_a_batch(folder: Path, ours: list) -> None:
    change(folder, VISION, surgery.without_batch)
    assert same(answers(Bundle(folder)), ours)


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


STATES: dict[str, tuple[Change, ...]] = {
    "float32": (surgery.with_states,),
    "float16": (surgery.with_states, surgery.retype),
    "batch without a name": (surgery.with_states, surgery.unnamed_batches),
}


@pytest.mark.parametrize("form", STATES)
def test_states_go_from_run_to_run_when_a_layer_keeps_some(form: str, folder: Path, ours: list) -> None:
    change(folder, DECODER, *STATES[form])
    model = load_model(Bundle(folder), threads=1)
    decoder, tokens = model.decoder, list(range(10, 40))
    whole, _ = decoder.step(decoder.embed(tokens), decoder.begin())
    _, cache = decoder.step(decoder.embed(tokens[:11]), decoder.begin())
    pieces, _ = decoder.step(decoder.embed(tokens[11:]), cache)
    np.testing.assert_allclose(pieces, whole, atol=0.1 if form == "float16" else 1e-5)
    for state in ("past_conv.2", "past_recurrent.2"):
        lost = {**cache.feeds, state: np.zeros_like(cache.feeds[state])}
        other, _ = decoder.step(decoder.embed(tokens[11:12]), dataclasses.replace(cache, feeds=lost))
        right, _ = decoder.step(decoder.embed(tokens[11:12]), cache)
        assert not np.allclose(other, right, atol=0.1)
    model.close()
    assert same(answers(Bundle(folder)), answers(Bundle(folder)))
    assert not same(answers(Bundle(folder)), ours, tolerance=0.1)


def test_answers_are_ours_when_the_decoder_comes_in_two_graphs(folder: Path, ours: list) -> None:
    (folder / "onnx" / f"{DECODER}.onnx").unlink()
    change(folder, DECODER, surgery.first_half, name="decoder_model")
    change(folder, DECODER, surgery.one_token_only, name="decoder_with_past_model")
    assert same(answers(Bundle(folder)), ours)


def test_answers_are_nearly_ours_when_everything_that_goes_in_and_out_is_half_precision(
    folder: Path, ours: list
) -> None:
    for part in (VISION, EMBED, DECODER):
        change(folder, part, surgery.retype)
    assert same(answers(Bundle(folder)), ours, tolerance=0.1)


@pytest.mark.parametrize("part", [VISION, EMBED, DECODER])
def test_answers_are_nearly_ours_when_one_part_is_half_precision(part: str, folder: Path, ours: list) -> None:
    change(folder, part, surgery.retype)
    assert same(answers(Bundle(folder)), ours, tolerance=0.1)


@pytest.mark.parametrize("output", ["image_embeds", "last_hidden_state", "anything"])
def test_answers_are_ours_when_the_features_are_called_otherwise(output: str, folder: Path, ours: list) -> None:
    change(folder, VISION, lambda model: surgery.rename(model, lambda name: name.replace("image_features", output)))
    assert same(answers(Bundle(folder)), ours)


@pytest.mark.parametrize(
    ("name", "kind", "shape"),
    [
        ("pixel_attention_mask", TensorProto.BOOL, ["batch", 32, 32]),
        ("image_sizes", TensorProto.INT64, ["batch", 2]),
    ],
)
def test_answers_are_ours_when_the_vision_encoder_takes_more(
    name: str, kind: int, shape: list, folder: Path, ours: list
) -> None:
    change(folder, VISION, lambda model: surgery.add_input(model, name, kind, shape))
    assert same(answers(Bundle(folder)), ours)


def test_answers_are_ours_when_the_vision_encoder_takes_tiles_of_pictures(folder: Path, ours: list) -> None:
    change(folder, VISION, surgery.tiles_of_pictures)
    assert same(answers(Bundle(folder)), ours)


def test_answers_are_ours_when_the_embedding_puts_the_picture_in_place(folder: Path, ours: list) -> None:
    change(folder, EMBED, surgery.merging_embedding)
    assert same(answers(Bundle(folder)), ours)


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


def test_answers_are_ours_when_there_is_no_generation_config(folder: Path, ours: list) -> None:
    (folder / "generation_config.json").unlink()
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": settings}))
    assert same(answers(Bundle(folder)), ours)


def with_size(name: str, shape: list) -> Change:
    def apply(model: onnx.ModelProto) -> None:
        for value in (*model.graph.input, *model.graph.output):
            if name in value.name:
                surgery.reshape_spec(value, shape)

    return apply


REFUSED: dict[str, tuple[str, Change, str]] = {
    "unknown input": (
        DECODER,
        lambda model: surgery.add_input(model, "encoder_mask", TensorProto.FLOAT, ["batch", 4]),
        r"encoder_mask.*\('batch', 4\).*float32",
    ),
    "no logits": (
        DECODER,
        lambda model: surgery.rename(model, lambda name: name.replace("logits", "last_hidden_state")),
        "last_hidden_state.*logits",
    ),
    "unpaired cache": (
        DECODER,
        lambda model: surgery.rename(model, lambda name: name.replace("present.1.key", "scores.1")),
        r"past_key_values\.1\.key",
    ),
    "no cache": (DECODER, surgery.first_half, "0 cache inputs"),
    "fixed cache": (
        DECODER,
        lambda model: [with_size(side, [1, 2, 64, 8])(model) for side in ("past", "present")] and None,
        r"past_key_values\.0\.key.*64.*number of tokens",
    ),
    "other pixels": (VISION, with_size("pixel_values", ["batch", 3, 64, 64]), r"pixel_values.*64.*32"),
    "other vision input": (
        VISION,
        lambda model: surgery.add_input(model, "timesteps", TensorProto.FLOAT, [1]),
        "timesteps",
    ),
    "no projector": (VISION, surgery.narrow_features, "31.*32 wide"),
    "pixels in bytes": (
        VISION,
        lambda model: surgery.retype(model, kind=TensorProto.UINT8, names=["pixel_values"]),
        "'pixel_values' as uint8, and normalised pixels are float32",
    ),
    "logits of more tokens": (DECODER, surgery.more_logits, "logits of 416 tokens and embed_tokens does not know"),
    "table without a shape": (EMBED, surgery.without_shapes, r"'input_ids' of shape \(\): export it as"),
    "two prompts at once": (
        DECODER,
        surgery.rows(2),
        r"'inputs_embeds' of shape \(2, .*2 prompts at once.*dynamic batch",
    ),
    "other positions of tokens": (
        DECODER,
        lambda model: surgery.add_input(model, "token_type_ids", TensorProto.INT64, ["batch", "sequence"]),
        r"token_type_ids.*nobody feeds",
    ),
    "bfloat16": (
        DECODER,
        lambda model: surgery.retype(model, kind=TensorProto.BFLOAT16, names=["inputs_embeds"]),
        r"'inputs_embeds'.*bfloat16",
    ),
    "table of another vocabulary": (
        EMBED,
        surgery.short_table,
        "the tokenizer has 352 tokens and embed_tokens does not know the last.*of two models",
    ),
    "two kinds of tokens": (
        EMBED,
        lambda model: surgery.add_input(model, "token_type_ids", TensorProto.INT64, ["batch", "sequence"]),
        "token_type_ids",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bundle_is_refused_with_the_reason_when_it_cannot_be_run(case: str, folder: Path) -> None:
    part, apply, said = REFUSED[case]
    change(folder, part, apply)
    with pytest.raises(VlmRosError, match=said):
        answers(Bundle(folder))


def test_comparison_fails_when_a_weight_differs(folder: Path, ours: list) -> None:
    def turn_round(model: onnx.ModelProto) -> None:
        weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        weight.raw_data = (-np.frombuffer(weight.raw_data, np.float32)).tobytes()

    change(folder, DECODER, turn_round)
    assert not same(answers(Bundle(folder)), ours)
