"""The demo model's bundle against its checkpoint in transformers, on views of rooms that no training saw."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import torch

from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.answer import FreeText
from vlm_ros.core.frame import Frame
from vlm_ros.export.greedy import checkpoint_tokens, exported_tokens
from vlm_ros.export.llava import VisionEncoder
from vlm_ros.language.prompts import question_about
from vlm_ros.models.loading import load_model
from vlm_ros.sim.seeds import TEST
from vlm_ros.sim.views import draw_views
from vlm_ros.vision.preprocessing import Preprocessor

DEMO = Path(__file__).parents[2] / "engines" / "demo"
FIRST_SCENE, SCENES, VIEWS_PER_SCENE = 50_000, 10, 5


@pytest.fixture(scope="module")
def pictures():
    seeds = [TEST.seed(FIRST_SCENE + index) for index in range(SCENES)]
    return [view.rgb.copy() for view in draw_views(seeds, VIEWS_PER_SCENE)]


@pytest.fixture(scope="module")
def demo(open_pair):
    return open_pair(DEMO / "checkpoint", DEMO)


def test_there_are_fifty_different_views(pictures):
    assert len({rgb.tobytes() for rgb in pictures}) == 50


def test_pixels_and_image_features_equal_the_checkpoints(demo, pictures):
    preprocess = Preprocessor.from_json(demo.bundle.json("preprocessor_config.json"))
    vision = VisionEncoder(demo.model)
    for rgb in pictures:
        pixels = demo.inputs(rgb, "?")["pixel_values"]
        assert np.abs(preprocess(rgb) - pixels.numpy()).max() < 1e-6
        with torch.inference_mode():
            expected = vision({"pixel_values": pixels})["image_features"].numpy()
        agreement = agreement_of(demo.features(pixels), expected)
        assert agreement.accepted, agreement


def test_greedy_tokens_equal_the_checkpoints(demo, pictures):
    for rgb in pictures:
        inputs = demo.inputs(rgb, demo.bundle.card.describe_prompt)
        expected = checkpoint_tokens(demo.model, inputs["input_ids"], inputs["pixel_values"])
        features = demo.features(inputs["pixel_values"])
        image_token = demo.model.config.image_token_id
        assert exported_tokens(demo.runners, inputs["input_ids"].numpy(), features, image_token) == expected


def test_answers_equal_the_checkpoints_when_asked_the_way_a_robot_asks(demo, pictures):
    card = demo.bundle.card
    model = load_model(demo.bundle)
    for rgb in pictures:
        observation = model.observe(Frame(rgb))
        for question in (card.describe_prompt, question_about(card, "red ball"), card.path_prompt):
            answer = observation.ask(question, FreeText(max_tokens=32))
            assert demo.same(answer.text, rgb, question, tokens=32), question
    model.close()
