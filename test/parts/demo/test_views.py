"""What a person is shown while the demo runs."""

import io

from drives import FOUND, ROOM, drive_of, paper_floor
from PIL import Image
from rich.console import Console

from vlm_ros.demo.display import Lines
from vlm_ros.demo.half_blocks import half_blocks
from vlm_ros.demo.terminal import Terminal

WIDTH, HEIGHT = 100, 30


def shown(renderable):
    console = Console(
        file=io.StringIO(), force_terminal=True, color_system="truecolor", width=WIDTH, legacy_windows=False
    )
    console.print(renderable)
    return console.file.getvalue()


def test_a_character_carries_the_upper_and_the_lower_pixel():
    image = Image.new("RGB", (2, 2), (255, 0, 0))
    image.paste((0, 0, 255), (0, 1, 2, 2))
    text = shown(half_blocks(image, 2))
    assert text.count("▀") == 2
    assert "38;2;255;0;0;48;2;0;0;255" in text


def test_the_live_view_fits_the_terminal_and_holds_what_is_known():
    console = Console(file=io.StringIO(), force_terminal=True, width=WIDTH, height=HEIGHT, color_system=None)
    terminal = Terminal(console, "Search: 'red ball'", ROOM, paper_floor())
    terminal.watch(drive_of())
    with console.capture() as capture:
        console.print(terminal.view)
    lines = capture.get().splitlines()
    assert len(lines) <= HEIGHT
    assert max(map(len, lines)) <= WIDTH
    text = " ".join(lines)
    for words in ("Search: 'red ball'", "red ball: left, far", FOUND.reason, "the path is clear", "+0.00 m/s", "▀"):
        assert words in text


def test_the_live_view_shows_the_stage_when_nothing_drives():
    console = Console(file=io.StringIO(), force_terminal=True, width=WIDTH, height=HEIGHT, color_system=None)
    terminal = Terminal(console, "Search", ROOM, paper_floor())
    terminal.stage("building vision_encoder", 0.4)
    with console.capture() as capture:
        console.print(terminal.view)
    assert "building vision_encoder" in capture.get()


def test_lines_tell_each_stage_once_and_then_of_the_drive(capsys):
    with Lines() as lines:
        lines.stage("loading the model", 0.1)
        lines.stage("loading the model", 0.2)
        lines.watch(drive_of())
        lines.refresh()
        lines.refresh()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("loading the model") == 1
    assert captured.err.count("red ball: left, far") == 1
