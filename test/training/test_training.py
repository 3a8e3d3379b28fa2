"""Training on made-up views: what is asked, what is learnt, and that a run goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from vlm_ros.core.config import changed  # noqa: E402
from vlm_ros.core.percept import PathAhead  # noqa: E402
from vlm_ros.sim.draw import draw_scene  # noqa: E402
from vlm_ros.sim.truth import ObjectTruth, ViewTruth  # noqa: E402
from vlm_ros.sim.views import View  # noqa: E402
from vlm_ros.training import phrases  # noqa: E402
from vlm_ros.training.architecture import IMAGE_PX, PATCHES, make_model  # noqa: E402
from vlm_ros.training.augmentation import mirrored  # noqa: E402
from vlm_ros.training.checkpoint import save_checkpoint  # noqa: E402
from vlm_ros.training.fitting import Fitting, FittingConfig  # noqa: E402
from vlm_ros.training.objective import DenseHeads, Objective  # noqa: E402
from vlm_ros.training.questions import FAINT_CLASS, Questioner, target_answers  # noqa: E402
from vlm_ros.training.report import Report, calibration_error  # noqa: E402
from vlm_ros.training.tokenizer import EOS_ID, IMAGE_ID, make_tokenizer  # noqa: E402
from vlm_ros.training.tokens import NONE  # noqa: E402
from vlm_ros.training.view_table import FAINT, VISIBLE, ViewTable  # noqa: E402

CPU = torch.device("cpu")
torch.set_num_threads(1)  # threads that wait for each other on a shared machine make this ten times slower
RED_BALL_LEFT_FAR = (VISIBLE, 0, 0, 0, 1)
ORANGE_BOTTLE_CENTER_NEAR = (VISIBLE, 1, 4, 1, 0)
FAINT_GREEN_CONE = (FAINT, 3, 3, 1, 0)


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


@pytest.fixture(scope="module")
def questioner(tokenizer):
    return Questioner(tokenizer, CPU)


def table(count: int = 8) -> ViewTable:
    """Views of one colour each: red pictures hold a red ball on the left, black ones hold nothing."""
    objects = np.zeros((count, 8, 5), np.int8)
    images = np.zeros((count, IMAGE_PX, IMAGE_PX, 3), np.uint8)
    patches = np.zeros((count, 3, PATCHES), np.uint8)
    objects[::2, 0] = RED_BALL_LEFT_FAR
    images[::2, :, :48] = (220, 20, 20)
    patches[::2, :, ::12] = 1
    return ViewTable(images, objects, np.arange(count, dtype=np.int8) % 2, patches)


def objects_tensor(*rows: tuple[int, ...]):
    objects = torch.zeros(1, 8, 5, dtype=torch.long)
    for index, row in enumerate(rows):
        objects[0, index] = torch.tensor(row)
    return objects


def texts(branches, tokenizer, view: int = 0) -> list[tuple[str, str]]:
    """Question and answer of each branch, as text."""
    pairs = []
    for number in range(int(branches.branch.max()) + 1):
        here = (branches.branch == number) & (branches.tokens[view] != NONE)
        tokens, answer = branches.tokens[view][here], branches.answer[view][here]
        question, reply = tokens[~answer].tolist(), tokens[answer].tolist()
        assert reply[-1] == EOS_ID
        pairs.append((tokenizer.decode(question), tokenizer.decode(reply)))
    return pairs


def test_answers_follow_the_truth_when_questions_are_drawn(tokenizer, questioner):
    objects = objects_tensor(RED_BALL_LEFT_FAR, ORANGE_BOTTLE_CENTER_NEAR, FAINT_GREEN_CONE)
    torch.manual_seed(0)
    seen: dict[str, set[str]] = {}
    branches = questioner.draw(objects.expand(200, -1, -1), torch.ones(200, dtype=torch.long))
    for view in range(200):
        for question, answer in texts(branches, tokenizer, view):
            seen.setdefault(question.strip().splitlines()[0], set()).add(answer)
    assert seen["where is the red ball?"] == {"left, far"}
    assert seen["where is the orange bottle?"] == {"center, near"}
    assert seen["where is the ball?"] == {"left, far"}
    assert seen["is the path clear?"] == {"blocked"}
    assert seen["how many objects do you see?"] == {"2"}
    assert seen["describe the scene."] == {
        "a red ball on the left, far. an orange bottle in the center, near. the path is blocked."
    }
    assert all("green cone" not in question for question in seen), "nobody asks about what is too faint to tell"
    absent = [answers for question, answers in seen.items() if question.endswith(("red bottle?", "orange ball."))]
    assert absent and all(answers <= {"no"} for answers in absent)


def test_the_largest_decides_when_a_target_names_only_a_shape():
    objects = objects_tensor(ORANGE_BOTTLE_CENTER_NEAR, (VISIBLE, 4, 4, 2, 1), FAINT_GREEN_CONE)
    answers = dict(zip(phrases.TARGETS, target_answers(objects)[0].tolist(), strict=True))
    assert phrases.FIND_ANSWERS[answers["bottle"]] == "center, near"
    assert phrases.FIND_ANSWERS[answers["blue bottle"]] == "right, far"
    assert answers["cone"] == answers["green cone"] == answers["green object"] == FAINT_CLASS


def test_left_becomes_right_when_a_view_is_mirrored():
    images = torch.arange(IMAGE_PX).repeat(1, IMAGE_PX, 1)[..., None].expand(1, -1, -1, 3)
    patches = torch.arange(12).repeat(1, 3, 12)
    flipped = mirrored(images, objects_tensor(RED_BALL_LEFT_FAR), patches, torch.tensor([True]))
    assert flipped[0][0, 0, 0, 0] == IMAGE_PX - 1
    assert flipped[1][0, 0].tolist() == [VISIBLE, 0, 0, 2, 1]
    assert flipped[2][0, 0, :12].tolist() == list(range(11, -1, -1))


def test_pictures_are_spoilt_the_same_way_when_the_chance_is_the_same():
    scene = draw_scene(0)
    hidden = [ObjectTruth(one.color, one.shape, 0, False, None, 2.0) for one in scene.objects]
    truth = ViewTruth(tuple(hidden), PathAhead.CLEAR)
    grey, nothing = np.full((240, 320, 3), 90, np.uint8), np.full((240, 320), -1, np.int8)
    view = View(scene, scene.start, grey, nothing, truth)
    tables = [ViewTable.from_views([view] * 3, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(tables[0].images, tables[1].images)
    assert not np.array_equal(tables[0].images, tables[2].images)
    assert (ViewTable.from_views([view]).images == 90).all()


def test_packed_questions_give_the_logits_of_separate_ones_when_they_share_a_picture(tokenizer, questioner):
    torch.manual_seed(0)
    model = make_model(tokenizer.get_vocab_size())
    objective = Objective(model, DenseHeads(), tokenizer, CPU)
    branches = questioner.draw(objects_tensor(RED_BALL_LEFT_FAR), torch.tensor([0]))
    with torch.no_grad():
        hidden = objective.hidden(torch.randn(1, 3, IMAGE_PX, IMAGE_PX))
        packed = objective.logits(hidden, branches)[0]
        for number in (0, 8):
            here = (branches.branch == number) & (branches.tokens[0] != NONE)
            ids = torch.cat([objective.opening, torch.full((PATCHES,), IMAGE_ID), branches.tokens[0][here]])[None]
            embeds = model.get_input_embeddings()(ids)
            first = len(objective.opening)
            embeds[:, first : first + PATCHES] = model.model.multi_modal_projector(hidden)
            alone = model.lm_head(model.model.language_model(inputs_embeds=embeds).last_hidden_state)
            torch.testing.assert_close(packed[here], alone[0, first + PATCHES :], atol=1e-4, rtol=1e-4)


def test_loss_falls_when_training_runs(tokenizer, tmp_path: Path):
    config = FittingConfig(dense_steps=2, steps=14, batch=8, warm_up_steps=2, measure_every=4, average=0.5)
    fitting = Fitting(config, tokenizer, CPU, tmp_path / "state.pt")
    fitting.fit(table(), table())
    assert fitting.step == 16
    assert fitting.best_loss < 4.5, "ln(446) = 6.1 is what chance gives"


def test_training_goes_on_where_it_stopped_when_started_again(tokenizer, tmp_path: Path):
    config = FittingConfig(dense_steps=1, steps=1, batch=4, measure_every=1)
    first = Fitting(config, tokenizer, CPU, tmp_path / "state.pt")
    first.fit(table(), table())
    again = Fitting(changed(config, {"steps": 2}, live_only=False), tokenizer, CPU, tmp_path / "state.pt")
    assert (again.step, again.best_loss) == (2, first.best_loss)
    for one, other in zip(first.average, again.average, strict=True):
        assert torch.equal(one, other)
    again.fit(table(), table())
    assert again.step == 3


def test_training_begins_with_a_checkpoint_that_is_given(tokenizer, tmp_path: Path):
    trained = make_model(tokenizer.get_vocab_size(), seed=7)
    save_checkpoint(trained, tokenizer, tmp_path / "checkpoint")
    fitting = Fitting(FittingConfig(), tokenizer, CPU, tmp_path / "state.pt", tmp_path / "checkpoint")
    for mine, theirs in zip(fitting.model.parameters(), trained.parameters(), strict=True):
        assert torch.equal(mine, theirs.float())


def test_report_says_how_long_a_percept_takes():
    assert Report(answers_s=[0.01, 0.02, 0.09]).figures()["answer_ms"] == pytest.approx(20.0)


def test_calibration_error_is_the_gap_when_confidence_is_wrong():
    assert calibration_error([(0.95, True)] * 95 + [(0.95, False)] * 5) == pytest.approx(0.0)
    assert calibration_error([(0.95, True)] * 50 + [(0.95, False)] * 50) == pytest.approx(0.45)
