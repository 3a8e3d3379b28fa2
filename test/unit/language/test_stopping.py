"""Text that ends at a mark: nothing of the mark is shown, and nothing else is lost."""

from __future__ import annotations

import pytest

from vlm_ros.language.stopping import TextCutter


@pytest.mark.parametrize(
    ("pieces", "shown", "stopped"),
    [
        (["a ball", " on the left"], "a ball on the left", False),
        (["a ball###Human: and"], "a ball", True),
        (["a ball#", "#", "# more"], "a ball", True),
        (["no. 1 is #", "2 and ##", "3"], "no. 1 is #2 and ##3", False),
        (["the end #"], "the end #", False),
        (["###", "all"], "", True),
        (["a STOP b ### c"], "a ", True),
    ],
)
def test_text_is_cut_at_the_first_mark(pieces: list[str], shown: str, stopped: bool) -> None:
    cutter = TextCutter(("###", "STOP"))
    assert "".join([*(cutter.push(piece) for piece in pieces), cutter.rest()]) == shown
    assert cutter.stopped is stopped


def test_nothing_waits_when_there_is_no_mark() -> None:
    assert TextCutter(()).push("###") == "###"
