"""The exported parts answer as transformers does from the same checkpoint, and a check of that can fail."""

import copy

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import bad_inputs
import torch

from vlm_ros.build.building import build_bundle
from vlm_ros.build.store import EngineStore
from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.answer import FreeText
from vlm_ros.core.errors import ExportFailed
from vlm_ros.core.frame import Frame
from vlm_ros.export.greedy import check_tokens, checkpoint_tokens, exported_tokens, random_prompt
from vlm_ros.export.llava import parts_of
from vlm_ros.export.validation import check_part
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.loading import load_model
from vlm_ros.runtime.kv_cache import KvLayout

IMAGE_TOKENS = 16
LONG, SHORT = 29, 19
BATCHES = pytest.mark.parametrize("batch", [1, 3])
LENGTHS = pytest.mark.parametrize("length", [SHORT, LONG])


@pytest.fixture(autouse=True)
def drawn_from_one_seed():
    torch.manual_seed(0)


def pictures(batch):
    return torch.randn(batch, 3, 32, 32)


def prompts(model, batch, length):
    """Left-padded prompts with one picture each, and their masks; row ``i`` has ``i`` padding tokens."""
    ids = torch.randint(5, model.config.text_config.vocab_size, (batch, length))
    ids[:, 2 : 2 + IMAGE_TOKENS] = model.config.image_token_id
    mask = torch.ones_like(ids)
    for row in range(1, batch):
        ids[row] = ids[row].roll(row)
        mask[row, :row] = 0
    return ids, mask


def positions(mask):
    return (mask.cumsum(dim=1) - 1).clamp(min=0)


def logits_of_checkpoint(model, ids, mask, pixels):
    """The last position's logits (batch, 1, words), by one pass over the whole prompt."""
    with torch.inference_mode():
        return (
            model(input_ids=ids, attention_mask=mask, position_ids=positions(mask), pixel_values=pixels)
            .logits[:, -1:]
            .numpy()
        )


def logits_of_parts(exported, ids, mask, pixels, known):
    """The same by the parts: first the prompt, then its tokens after the first ``known`` one by one on the cache."""
    runners = exported.runners
    features = exported.features(pixels)
    embeds = runners["embed_tokens"].run({"input_ids": ids.numpy()})["inputs_embeds"].copy()
    embeds[ids.numpy() == exported.model.config.image_token_id] = features.reshape(-1, features.shape[-1])
    decoder = runners["decoder_model_merged"]
    layout = KvLayout.from_runner(decoder)
    cache = {name: np.repeat(empty, len(ids), axis=0) for name, empty in layout.empty().feeds.items()}
    for start, end in [(0, known), *((i, i + 1) for i in range(known, ids.shape[1]))]:
        step = {
            "inputs_embeds": embeds[:, start:end],
            "attention_mask": mask[:, :end].numpy(),
            "position_ids": positions(mask)[:, start:end].numpy(),
        }
        outputs = decoder.run(step | cache)
        cache = {past: outputs[present] for past, present in layout.present.items()}
    return outputs["logits"]


@BATCHES
def test_image_features_equal_the_checkpoints(exported, batch):
    pixels = pictures(batch)
    with torch.inference_mode():
        expected = torch.stack(list(exported.model.model.get_image_features(pixels).pooler_output)).numpy()
    assert agreement_of(exported.features(pixels), expected).accepted


@BATCHES
@LENGTHS
def test_logits_equal_the_checkpoints_when_the_prompt_is_read_at_once(exported, batch, length):
    ids, mask = prompts(exported.model, batch, length)
    pixels = pictures(batch)
    expected = logits_of_checkpoint(exported.model, ids, mask, pixels)
    agreement = agreement_of(logits_of_parts(exported, ids, mask, pixels, known=length), expected)
    assert agreement.accepted, agreement


@BATCHES
@LENGTHS
def test_logits_equal_the_checkpoints_when_the_end_is_read_step_by_step(exported, batch, length):
    ids, mask = prompts(exported.model, batch, length)
    pixels = pictures(batch)
    expected = logits_of_checkpoint(exported.model, ids, mask, pixels)
    agreement = agreement_of(logits_of_parts(exported, ids, mask, pixels, known=length - 4), expected)
    assert agreement.accepted, agreement


def test_greedy_tokens_equal_the_checkpoints(exported):
    pixels = pictures(1)
    prompt = random_prompt(exported.model, IMAGE_TOKENS)
    expected = checkpoint_tokens(exported.model, prompt, pixels)
    image_token = exported.model.config.image_token_id
    assert exported_tokens(exported.runners, prompt.numpy(), exported.features(pixels), image_token) == expected
    assert len(set(expected)) > 8, "a model that repeats itself shows nothing"


@pytest.mark.parametrize("question", ["Is there a red ball?", "Describe the scene."])
def test_answer_equals_the_checkpoints_when_asked_the_way_a_robot_asks(exported, question):
    rgb = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    model = load_model(exported.bundle)
    answer = model.observe(Frame(rgb)).ask(question, FreeText(max_tokens=32))
    model.close()
    assert exported.same(answer.text, rgb, question, tokens=32)


def test_engines_answer_as_the_checkpoint_when_questions_share_a_picture(exported, tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    engines = build_bundle(exported.bundle, EngineStore(tmp_path))
    model = load_model(exported.bundle, engines)
    observation = model.observe(Frame(rgb))
    for question in ("Is there a red ball?", "Describe the scene.", "Is there a red ball?"):
        answer = observation.ask(question, FreeText(max_tokens=32))
        assert exported.same(answer.text, rgb, question, tokens=32)
    requests = [Request(Frame(rgb), question, FreeText(8)) for question in ("Is there a red ball?", "What?", "?")]
    batched, single = (list(ask_all(model, requests, max_batch=size)) for size in (3, 1))
    assert [answer.text for answer in batched] == [answer.text for answer in single]
    model.close()


def test_bad_input_is_refused_with_the_reason_or_answered(exported, tmp_path):
    model = load_model(exported.bundle, threads=1)
    bad_inputs.check_speaking(model)
    model.close()
    bad_inputs.check_vocabulary(exported.bundle, tmp_path)


def test_tokens_depend_on_the_picture(exported):
    prompt = random_prompt(exported.model, IMAGE_TOKENS)
    first, second = (checkpoint_tokens(exported.model, prompt, pictures(1)) for _ in range(2))
    assert first != second


WEIGHTS = {
    "vision_encoder": "model.vision_tower.encoder.layers.0.mlp.fc1.weight",
    "embed_tokens": "model.language_model.embed_tokens.weight",
    "decoder_model_merged": "model.language_model.layers.1.mlp.down_proj.weight",
}


@pytest.mark.parametrize("part", WEIGHTS)
def test_check_fails_when_one_weight_matrix_differs_by_a_thousandth(exported, part):
    model = perturbed(exported.model, part, 1.001)
    module = next(module for module in parts_of(model) if module.name == part)
    with pytest.raises(ExportFailed, match=f"'{part}' differs"):
        check_part(module, exported.runners[part])


@pytest.mark.parametrize("part", WEIGHTS)
def test_token_check_fails_when_one_weight_matrix_is_turned_round(exported, part):
    with pytest.raises(ExportFailed, match="greedy decoding differs"):
        check_tokens(perturbed(exported.model, part, -1.0), exported.runners)


def perturbed(model, part, factor):
    """A copy of ``model`` with one of the matrices of ``part`` multiplied by ``factor``."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.get_parameter(WEIGHTS[part]).mul_(factor)
    return other
