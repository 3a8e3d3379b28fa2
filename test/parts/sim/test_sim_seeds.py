"""Which scenes may be looked at for what."""

import pytest

from vlm_ros.core.errors import BadConfig
from vlm_ros.sim.seeds import DEVELOPMENT, SPLITS, TEST, TRAINING, checked_seed


@pytest.mark.parametrize("seed", [0, 99_999, 100_000, 199_999, 200_000, 899_999, 900_000, 5_000_000])
def test_no_seed_is_in_two_splits(seed):
    assert sum(seed in split for split in SPLITS) <= 1


def test_splits_hold_the_ranges_that_were_promised():
    assert 99_999 in TRAINING and 100_000 in DEVELOPMENT and 199_999 in DEVELOPMENT and 900_000 in TEST
    assert 200_000 not in DEVELOPMENT and 899_999 not in TEST


def test_seed_is_refused_by_name_when_outside_its_split():
    assert checked_seed(100_001, DEVELOPMENT) == 100_001
    with pytest.raises(BadConfig, match="seed 900001 is not for training: give one of 0..99999"):
        checked_seed(900_001, TRAINING)


def test_index_is_refused_when_beyond_the_split():
    assert TEST.seed(3) == 900_003
    with pytest.raises(BadConfig, match="development has no scene 100000"):
        DEVELOPMENT.seed(100_000)
