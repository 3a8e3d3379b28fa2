"""Another model takes its seat between two pictures, or none does."""

from __future__ import annotations

import pytest
from desk import Desk, FakeModel

from vlm_ros.models.model import Model
from vlm_ros.models.seat import ModelSeat
from vlm_ros.models.serving import Wanted


def test_another_model_sits_down_between_two_pictures_and_the_old_one_is_freed(desk: Desk) -> None:
    desk.worker.wanted = Wanted("red ball")
    old, new = desk.model, FakeModel()
    closed: list[str] = []
    old.close = lambda: closed.append("old")

    def change(model: Model) -> Model:
        model.close()
        return new

    old.before_token = lambda stamp_ns, question: desk.seat.offer(change)
    desk.show(1)
    desk.wait(desk.percepts)
    desk.wait(lambda: closed)
    desk.show(2)
    desk.wait(lambda: len(desk.percepts()) == 2)
    assert closed == ["old"]
    assert {stamp_ns for stamp_ns, _ in old.questions} == {1}, "the answers about one picture are of one model"
    assert {stamp_ns for stamp_ns, _ in new.questions} == {2}


def test_the_model_stays_when_the_change_fails(desk: Desk) -> None:
    def fail(model: Model) -> Model:
        raise RuntimeError("no room")

    desk.worker.wanted = Wanted("red ball")
    desk.seat.offer(fail)
    desk.wait(lambda: "no room" in desk.worker.counts.last_failure)
    desk.show(1)
    desk.wait(desk.percepts)


@pytest.mark.parametrize("late", [False, True])
def test_a_model_that_waits_is_withdrawn_when_the_seat_is_closed(late: bool) -> None:
    seat, withdrawn = ModelSeat(FakeModel()), []
    if late:
        seat.close()
    seat.offer(lambda model: model, withdraw=lambda: withdrawn.append(True))
    if not late:
        seat.close()
    assert withdrawn == [True]
