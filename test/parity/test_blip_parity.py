"""BLIP: what the exported parts say and score is what transformers says and scores, and a check of that can fail."""

from __future__ import annotations

import copy
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import torch
from PIL import Image

from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.answer import Choices, FreeText, Regex
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.card import ModelCard
from vlm_ros.core.errors import BadBundle, BadQuestion, ExportFailed
from vlm_ros.core.frame import Frame
from vlm_ros.core.percept import PathAhead
from vlm_ros.export import blip, blip_matching
from vlm_ros.export.exporting import export_bundle
from vlm_ros.export.validation import check_part
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.loading import load_model
from vlm_ros.models.perceiving import perceive
from vlm_ros.vision.preprocessing import Preprocessor

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "unit" / "vision")]
import bad_inputs  # noqa: E402
import tiny_blip  # noqa: E402
from pictures import patterned, scene, stripes  # noqa: E402

PICTURES = [scene(96, 128), patterned(57, 33), stripes(61, 83)]
SHORT, LONG = "a picture of", "where is the red ball in the picture of a box, left or right?"
TEXTS = ["a red ball", "a picture of the blue box, and a green ball", "no"]


class Pair:
    """A checkpoint as transformers runs it, beside the bundle that was exported from it."""

    def __init__(self, architecture, module, folder, draw_weights):
        from transformers import AutoTokenizer
        from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

        self.module = module
        tiny_blip.make_blip(folder / "checkpoint", architecture, draw_weights)
        self.agreements = export_bundle(folder / "checkpoint", folder / "bundle")
        self.bundle = Bundle(folder / "bundle")
        self.reference = module.load_checkpoint(folder / "checkpoint")
        self.tokenizer = AutoTokenizer.from_pretrained(folder / "checkpoint")
        self.processor = BlipImageProcessorPil.from_pretrained(folder / "checkpoint")
        self.model = load_model(self.bundle, threads=1)

    def pixels(self, pictures):
        return self.processor([Image.fromarray(rgb) for rgb in pictures], return_tensors="pt")["pixel_values"]

    def said(self, rgb, text):
        """Token numbers that transformers says, by its own processor and its own loop."""
        tokens = self.tokenizer(text, return_tensors="pt")
        inputs = {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
        words = self.reference.generate(pixel_values=self.pixels([rgb]), **inputs, max_new_tokens=32, do_sample=False)[
            0
        ]
        asked = hasattr(self.reference, "text_encoder")
        return words[1 if asked else tokens["input_ids"].shape[1] - 1 :]

    def perturbed(self, weight):
        """A copy of the checkpoint with one matrix turned round."""
        other = copy.deepcopy(self.reference)
        with torch.no_grad():
            other.get_parameter(weight).mul_(-1.0)
        return other


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, tiny):
    """Opens each architecture once, by name."""
    made = {}

    def pair(architecture):
        if architecture not in made:
            module = blip_matching if architecture == "BlipForImageTextRetrieval" else blip
            made[architecture] = Pair(architecture, module, tmp_path_factory.mktemp("blip"), tiny["draw_weights"])
        return made[architecture]

    yield pair
    for pair in made.values():
        pair.model.close()


@pytest.fixture(params=["BlipForConditionalGeneration", "BlipForQuestionAnswering"])
def speaking(request, pairs):
    return pairs(request.param)


@pytest.fixture
def comparing(pairs):
    return pairs("BlipForImageTextRetrieval")


@pytest.mark.parametrize("text", [SHORT, LONG])
@pytest.mark.parametrize("rgb", PICTURES)
def test_answer_equals_the_checkpoints_from_the_raw_picture_and_text(speaking, rgb, text):
    expected = speaking.said(rgb, text)
    answer = speaking.model.observe(Frame(rgb)).ask(text, FreeText(32))
    assert answer.text == speaking.tokenizer.decode(expected, skip_special_tokens=True)
    assert answer.tokens >= 1


def test_32_tokens_are_the_same_and_depend_on_the_picture(speaking):
    runners = speaking.model._runners
    prompt = torch.randint(5, 40, (1, 6), generator=torch.Generator().manual_seed(1))
    prompt[0, 0] = speaking.reference.config.text_config.bos_token_id
    said = []
    for rgb in PICTURES[:2]:
        pixels = {"pixel_values": speaking.pixels([rgb])}
        said.append(blip.checkpoint_tokens(speaking.reference, prompt, pixels))
        assert blip.exported_tokens(speaking.reference, runners, prompt, pixels) == said[-1]
    assert said[0] != said[1]
    assert len(set(said[0])) > 2, "a model that repeats itself shows nothing"


def test_one_of_the_choices_is_said_and_other_forms_are_refused(speaking):
    observation = speaking.model.observe(Frame(PICTURES[0]))
    options = ("no", "left, near", "Left, far", "red", "red ball")
    answer = observation.ask(LONG, Choices(options))
    assert answer.text in options
    assert answer.complete and 0.0 < answer.confidence <= 1.0
    with pytest.raises(BadQuestion, match="choices"):
        observation.ask(LONG, Regex("[0-9]"))
    with pytest.raises(BadQuestion, match="cannot say"):
        observation.ask(LONG, Choices(("no", "\U0001f916")))


def test_answers_of_a_batch_are_those_of_one_after_the_other(speaking):
    """Questions of several lengths, forms and limits about pictures of which one comes twice."""
    frames = [*map(Frame, PICTURES), Frame(PICTURES[0][::-1])]
    choices = Choices(("Left, far", "no", "red ball"))
    asked = [(SHORT, FreeText(32)), (LONG, FreeText(7)), (TEXTS[1], choices), ("what", FreeText(20))]
    pairs = [(0, 0), (1, 1), (0, 2), (2, 3), (3, 0), (0, 1), (1, 2)]
    requests = [Request(frames[frame], *asked[question]) for frame, question in pairs]
    assert speaking.model.most_rows(5) == 5
    batched, single = (list(ask_all(speaking.model, requests, max_batch=size)) for size in (5, 1))
    for one, other in zip(batched, single, strict=True):
        assert (one.text, one.tokens, one.finish) == (other.text, other.tokens, other.finish)
        assert one.confidence == pytest.approx(other.confidence, rel=1e-3)
    assert len({answer.text for answer in single}) > 4


def test_pictures_and_steps_are_run_together_when_questions_come_in_a_batch(speaking):
    runs = {}
    for part, runner in speaking.model._runners.items():
        run = runner.run
        runner.run = lambda feeds, keep=(), part=part, run=run: (
            runs.update({part: runs.get(part, 0) + 1}) or run(feeds, keep)
        )
    try:
        requests = [Request(Frame(rgb), text, FreeText(6)) for rgb in PICTURES for text in (SHORT, LONG)]
        list(ask_all(speaking.model, requests, max_batch=8))
    finally:
        for runner in speaking.model._runners.values():
            del runner.run
    assert runs["vision_encoder"] == 1
    assert runs["cross_attention_kv"] == 1
    assert runs["decoder_model_merged"] <= 6


def test_questions_are_asked_one_by_one_when_the_decoder_takes_no_mask_of_what_it_looks_at(pairs, tmp_path):
    """As it was exported before."""
    onnx = pytest.importorskip("onnx")
    speaking = pairs("BlipForQuestionAnswering")
    folder = Path(shutil.copytree(speaking.bundle.folder, tmp_path / "bundle"))
    graph = onnx.load(speaking.bundle.onnx("decoder_model_merged"))
    mask = next(value for value in graph.graph.input if value.name == "encoder_attention_mask")
    graph.graph.input.remove(mask)
    ones = onnx.helper.make_tensor("one", onnx.TensorProto.INT64, [1], [1])
    for node in reversed(
        [
            onnx.helper.make_node("Shape", ["cross_key_values.0.key"], ["looked_at"], start=0),
            onnx.helper.make_node("Gather", ["looked_at", "rows_and_tokens"], ["looked_at_size"]),
            onnx.helper.make_node("ConstantOfShape", ["looked_at_size"], [mask.name], value=ones),
        ]
    ):
        graph.graph.node.insert(0, node)
    graph.graph.initializer.append(onnx.helper.make_tensor("rows_and_tokens", onnx.TensorProto.INT64, [2], [0, 2]))
    onnx.save(graph, folder / "onnx" / "decoder_model_merged.onnx")
    requests = [Request(Frame(PICTURES[0]), text, FreeText(8)) for text in (SHORT, LONG)]
    older = load_model(Bundle(folder), threads=1)
    try:
        assert older.most_rows(8) == 1
        texts = [answer.text for answer in ask_all(older, requests, max_batch=8)]
    finally:
        older.close()
    assert texts == [answer.text for answer in ask_all(speaking.model, requests, max_batch=1)]


def test_bad_input_is_refused_with_the_reason_or_answered(speaking, comparing, tmp_path):
    bad_inputs.check_speaking(speaking.model)
    bad_inputs.check_vocabulary(speaking.bundle, tmp_path)
    bad_inputs.check_comparing(comparing.model)


def test_scores_of_all_pairs_equal_the_checkpoints(comparing):
    tokens = comparing.tokenizer(TEXTS, padding=True, return_tensors="pt")
    inputs = {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
    expected = {True: [], False: []}
    for rgb in PICTURES:
        pixels = comparing.pixels([rgb])
        with torch.inference_mode():
            expected[False].append(comparing.reference(**inputs, pixel_values=pixels, use_itm_head=False).itm_score[0])
            many = pixels.expand(len(TEXTS), -1, -1, -1)
            fused = comparing.reference(**inputs, pixel_values=many, use_itm_head=True).itm_score
        expected[True].append(fused.softmax(dim=1)[:, 1])
    similarities = comparing.model.similarities(PICTURES, TEXTS)
    assert agreement_of(similarities, torch.stack(expected[False]).numpy()).accepted
    chances = comparing.model.probabilities(PICTURES, TEXTS)
    assert agreement_of(chances, torch.stack(expected[True]).numpy()).accepted
    assert np.ptp(chances) > 0.02, "a model that likes all pairs alike shows nothing"


def test_model_that_compares_chooses_and_finds_but_does_not_speak(comparing):
    observation = comparing.model.observe(Frame(PICTURES[0]))
    options = ("red ball", "blue box")
    chances = comparing.model.probabilities(PICTURES[:1], [f"a picture of a {option}" for option in options])[0]
    assert observation.ask("a picture of a {}", Choices(options)).text == options[int(chances.argmax())]
    assert observation.find("red ball", deadline_s=60.0).readable
    assert not observation.find("red ball", deadline_s=0.0).readable
    with pytest.raises(BadQuestion, match="does not speak"):
        observation.ask("what is this?", FreeText())


@pytest.mark.parametrize("rgb", [*PICTURES, np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)])
def test_pixels_equal_the_processors(comparing, rgb):
    pixels = Preprocessor.from_json(comparing.bundle.image_processor)(rgb)
    np.testing.assert_allclose(pixels, comparing.pixels([rgb]).numpy(), atol=1e-6)


TURNED = {
    "vision_encoder": "vision_model.encoder.layers.0.mlp.fc1.weight",
    "question_encoder": "text_encoder.encoder.layer.0.crossattention.self.key.weight",
    "embed_tokens": "text_decoder.bert.embeddings.word_embeddings.weight",
    "cross_attention_kv": "text_decoder.bert.encoder.layer.1.crossattention.self.value.weight",
    "decoder_model_merged": "text_decoder.bert.encoder.layer.1.crossattention.output.dense.weight",
}


@pytest.mark.parametrize("part", TURNED)
def test_checks_fail_when_one_weight_matrix_is_turned_round(pairs, part):
    pair = pairs("BlipForQuestionAnswering")
    other = pair.perturbed(TURNED[part])
    module = next(module for module in blip.parts_of(other) if module.name == part)
    with pytest.raises(ExportFailed, match=f"'{part}' differs"):
        check_part(module, pair.model._runners[part])
    with pytest.raises(ExportFailed, match="greedy decoding differs"):
        blip.check_answers(other, pair.model._runners)


def test_check_of_scores_fails_when_one_weight_matrix_is_turned_round(comparing):
    for weight in ("itm_head.weight", "text_proj.weight"):
        with pytest.raises(ExportFailed, match="scores of a picture and a text differ"):
            blip_matching.check_answers(comparing.perturbed(weight), comparing.model._runners)


def test_answers_stay_when_the_bundle_runs_on_the_emulated_tensorrt(pairs, tmp_path):
    from emulator.bundle import model_on_emulator

    speaking, comparing = pairs("BlipForQuestionAnswering"), pairs("BlipForImageTextRetrieval")
    requests = [Request(Frame(rgb), text, FreeText(8)) for rgb in PICTURES[:2] for text in (SHORT, LONG)]
    with model_on_emulator(speaking.bundle, tmp_path / "speaking", batch=3) as model:
        emulated = model.observe(Frame(PICTURES[0])).ask(LONG, FreeText(16)).text
        assert model.most_rows(8) == 3
        batched = [answer.text for answer in ask_all(model, requests, max_batch=8)]
    assert batched == [answer.text for answer in ask_all(speaking.model, requests, max_batch=1)]
    assert emulated == speaking.model.observe(Frame(PICTURES[0])).ask(LONG, FreeText(16)).text
    with model_on_emulator(comparing.bundle, tmp_path / "comparing") as model:
        chances = model.probabilities(PICTURES, TEXTS)
    assert np.abs(chances - comparing.model.probabilities(PICTURES, TEXTS)).max() < 1e-4


def test_bundle_is_refused_when_its_tokenizer_is_of_another_model(comparing, tmp_path):
    for path in comparing.bundle.folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    config = comparing.bundle.config
    config["text_config"]["vocab_size"] = 40
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadBundle, match="of two models"):
        load_model(Bundle(tmp_path))


def test_architecture_is_named_when_it_is_not_known(comparing, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "blip", "architectures": ["BlipModel"]}')
    with pytest.raises(BadBundle, match="BlipModel: known are BlipForConditionalGeneration"):
        blip.load_checkpoint(tmp_path)


def test_robot_gets_a_readable_percept_from_a_model_that_speaks(speaking):
    card = ModelCard(find_prompt="where is the {target}?", path_prompt="is the path clear?")
    percept = perceive(speaking.model.observe(Frame(PICTURES[0])), "red ball", card, deadline_s=60.0)
    assert percept.readable
    assert percept.path is not PathAhead.UNKNOWN
