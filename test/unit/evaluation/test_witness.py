"""What the question, the list and both say of a target."""

import pytest

from vlm_ros.core.percept import Bearing, PathAhead, Percept, Range, unreadable, unseen
from vlm_ros.core.things import Thing, ThingsSeen
from vlm_ros.evaluation.witness import Witness, percept_by

SEEN = Percept("red ball", True, Bearing.LEFT, Range.FAR, PathAhead.BLOCKED, 0.9, 5)
UNSEEN = unseen("red ball", 5, PathAhead.BLOCKED)
LISTED = ThingsSeen((Thing("blue box", Bearing.LEFT, Range.NEAR), Thing("red ball", Bearing.RIGHT, Range.NEAR)), 0.8, 5)


def where(percept: Percept) -> tuple[Bearing | None, Range | None]:
    return percept.bearing, percept.range


@pytest.mark.parametrize(
    ("asked", "listed", "question", "by_list", "both"),
    [
        (SEEN, LISTED, (Bearing.LEFT, Range.FAR), (Bearing.RIGHT, Range.NEAR), (Bearing.LEFT, Range.FAR)),
        (UNSEEN, LISTED, (None, None), (Bearing.RIGHT, Range.NEAR), (None, None)),
        (SEEN, ThingsSeen((), 0.8, 5), (Bearing.LEFT, Range.FAR), (None, None), (None, None)),
        (SEEN, None, (Bearing.LEFT, Range.FAR), (None, None), (None, None)),
    ],
)
def test_each_witness_says_what_it_knows(asked, listed, question, by_list, both):
    said = {witness: percept_by(witness, asked, listed) for witness in Witness}
    assert [where(said[witness]) for witness in Witness] == [question, by_list, both]
    assert {percept.path for percept in said.values()} == {PathAhead.BLOCKED}


@pytest.mark.parametrize("witness", Witness)
def test_an_answer_that_nobody_can_read_stays_so(witness):
    assert not percept_by(witness, unreadable("red ball", 5), LISTED).readable
