"""The pictures of a drive, drawn from plain values."""

from dataclasses import replace

import numpy as np
import pytest
from drives import FOUND, ROOM, SEEN, START, drive_of, paper_floor, score_at
from PIL import Image, ImageDraw

from vlm_ros.core.motion import Pose, Velocity
from vlm_ros.core.percept import PathAhead, unreadable, unseen
from vlm_ros.demo.drawing.captions import doing_text, percept_text, speed_text
from vlm_ros.demo.drawing.film import FILM_PX, Film
from vlm_ros.demo.drawing.plan import Plan, time_color
from vlm_ros.demo.drawing.sheet import contact_sheet
from vlm_ros.demo.drawing.style import PAPER, TARGET, font, shortened, wrapped_lines, write_tag
from vlm_ros.demo.drawing.trajectory import times_along, trajectory_picture
from vlm_ros.demo.judging import result_from_recording
from vlm_ros.demo.keepsakes import moments_of_speech
from vlm_ros.demo.trail import trail_from_recording
from vlm_ros.navigation.navigator import Mode

WAY = [score_at(x_m) for x_m in (0.5, 1.0, 1.5)]


@pytest.fixture
def recording():
    return drive_of(scores=WAY)


@pytest.fixture
def trail(recording):
    return trail_from_recording(recording, START)


@pytest.fixture
def result(recording, trail):
    return result_from_recording(recording, trail, ROOM, Mode.SEARCH, "out")


def pixel(image, x_m, y_m):
    """The colour at a point of ``paper_floor``, drawn at its own size."""
    return image.getpixel((int(50 + 10 * x_m), int(50 - 10 * y_m)))


def near(color, other):
    return np.abs(np.subtract(color, other)).max() < 60


def test_the_way_has_the_colours_of_its_time_where_the_robot_went(trail):
    plan = Plan(paper_floor(), 400)
    plan.trail(trail.sampled(np.arange(0.0, 1.6, 0.05)), 1.5)
    image = plan.image
    middle = [image.getpixel((round(200 + 40 * x_m), 200)) for x_m in (0.0, 0.75, 1.45)]
    assert near(middle[0], time_color(0.0))
    assert near(middle[1], time_color(0.5))
    assert near(middle[2], time_color(1.0))
    assert image.getpixel((200 - 40, 200)) == (255, 255, 255)


def test_drawing_on_a_copy_leaves_the_plan_as_it_was(trail):
    plan = Plan(paper_floor(), 100)
    twin = plan.copy()
    twin.robot(Pose(2.0, 1.0, 0.0))
    assert pixel(plan.image, 2.0, 1.0) == (255, 255, 255)
    assert pixel(twin.image, 2.0, 1.0) != (255, 255, 255)


def test_a_ring_is_around_the_target_when_it_is_marked():
    plan = Plan(paper_floor(), 800)
    plan.target(ROOM.target_object)
    pixels = np.asarray(plan.image).astype(int)
    rows, columns = np.nonzero(np.abs(pixels - TARGET).sum(axis=-1) < 30)
    assert columns.mean() == pytest.approx(400 + 80 * 2.0, abs=2)
    assert rows.mean() == pytest.approx(400, abs=2)


@pytest.mark.parametrize("at", [(-4.9, 4.9), (4.9, -4.9), (0.0, 0.0)])
def test_a_tag_stays_inside_when_its_point_is_at_the_edge(at):
    plan, plain = Plan(paper_floor(), 400), Plan(paper_floor(), 400)
    plan.tag(*at, "orange mushroom", 16, TARGET, above=True)
    changed = np.any(np.asarray(plan.image) != np.asarray(plain.image), axis=-1)
    assert changed.any()
    edge = np.concatenate([changed[0], changed[-1], changed[:, 0], changed[:, -1]])
    assert not edge.any()


def test_text_is_cut_with_dots_when_it_is_too_wide():
    face = font(16)
    cut = shortened("a purple mushroom on the right, near", face, 120)
    assert cut.endswith("…")
    assert face.getlength(cut) <= 120
    assert shortened("short", face, 120) == "short"


def test_lines_hold_all_words_when_there_is_room_and_end_in_dots_when_there_is_not():
    face, text = font(16), "a red ball on the left, far. the path is clear."
    lines = wrapped_lines(text, face, 200, 5)
    assert " ".join(lines) == text
    assert all(face.getlength(line) <= 200 for line in lines)
    few = wrapped_lines(text, face, 120, 2)
    assert len(few) == 2
    assert few[1].endswith("…")
    assert wrapped_lines("", face, 120, 2) == []


def test_a_tag_is_as_wide_as_its_words():
    image = Image.new("RGB", (300, 60), PAPER)
    write_tag(ImageDraw.Draw(image), (150, 30), "red ball", 20, TARGET)
    columns = np.nonzero(np.any(np.asarray(image) != PAPER, axis=(0, 2)))[0]
    assert columns.min() < 150 - font(20, bold=True).getlength("red ball") / 2
    assert columns.min() + columns.max() == pytest.approx(300, abs=2)


@pytest.mark.parametrize(
    ("percept", "text"),
    [
        (None, "nothing yet"),
        (SEEN, "red ball: left, far · path clear"),
        (unseen("red ball", 1, PathAhead.BLOCKED), "no red ball · path blocked"),
        (unseen("", 1, PathAhead.CLEAR), "path clear"),
        (unreadable("red ball", 1), "unreadable answer"),
    ],
)
def test_a_percept_is_put_in_short_words(percept, text):
    assert percept_text(percept) == text


def test_the_reason_is_the_gates_when_the_gate_holds_the_robot():
    held = replace(FOUND, state="looking", gate="no answer for 2 s")
    assert doing_text(held) == "search: looking (no answer for 2 s)"
    assert doing_text(replace(held, velocity=Velocity(0.1, 0.0))) == "search: looking (the target is near)"
    assert doing_text(None) == "starting"
    assert speed_text(replace(held, velocity=Velocity(0.1, -0.5))) == "+0.10 m/s   -0.50 rad/s"


def test_the_sheet_shows_each_picture_it_is_given(recording, result):
    moments = [recording.moment(time_s) for time_s in (0.5, 1.0, 1.2, 1.4, 1.5)]
    page = contact_sheet(result, moments)
    one_row = contact_sheet(result, moments[:4])
    assert page.width == one_row.width
    assert page.height > one_row.height
    green = np.abs(np.asarray(page).astype(int) - (10, 200, 30)).sum(axis=-1) < 60
    assert green.sum() > 0.9 * 5 * 400 * 300


def test_the_sheet_has_the_moments_of_speech_and_the_last_when_there_are_many(recording):
    for word in range(60):
        recording.words.add(0.02 * word, f"word {word}")
    moments = moments_of_speech(recording, 16)
    assert len(moments) == 16
    assert moments[-1].time_s == recording.end_s
    times_s = [moment.time_s for moment in moments]
    assert times_s == sorted(times_s)


def test_the_trajectory_fits_its_page(trail, result):
    page = trajectory_picture(ROOM, paper_floor(), trail, result)
    assert page.width == 992
    pixels = np.asarray(page)
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert (edge == PAPER).all()


def test_headings_are_marked_once_each_stretch_however_long_the_robot_stands(trail):
    standing = trail_from_recording(drive_of(scores=[score_at(1.0)] * 20 + WAY), START)
    assert times_along(trail, 0.5) == [0.5, 1.0]
    assert len(times_along(standing, 0.5)) <= 4


def test_frames_of_a_film_have_one_size_and_keep_the_way(recording, trail):
    film = Film("Find the red ball", paper_floor(), ROOM.target_object, trail)
    frames = [film.frame(recording.moment(time_s)) for time_s in (0.0, 0.25, 0.5, 1.0, 1.5)]
    assert {frame.size for frame in frames} == {FILM_PX}
    plan = frames[-1].crop((672, 56, 1152, 536))
    assert near(plan.getpixel((240 + 20, 240)), time_color(1 / 3))


def test_the_film_of_a_drive_without_pictures_is_grey_there(trail):
    recording = drive_of(scores=WAY)
    recording.begin()
    frame = Film("Explore", paper_floor(), None, trail).frame(recording.moment(0.0))
    assert frame.getpixel((300, 300)) == frame.getpixel((20, 60))
