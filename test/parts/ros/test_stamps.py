"""Stamps, and ages on clocks that may not agree."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from vlm_ros.ros.stamps import AgeReader, ns_from_stamp


@dataclass
class Stamp:
    sec: int
    nanosec: int


def reader(now_s: float) -> tuple[AgeReader, list[str]]:
    warnings: list[str] = []
    return AgeReader("image", lambda: int(now_s * 1e9), warnings.append), warnings


def test_nanoseconds_are_exact_when_seconds_are_large() -> None:
    assert ns_from_stamp(Stamp(1_795_202_619, 592_697_303)) == 1_795_202_619_592_697_303


@pytest.mark.parametrize(("sec", "age_s"), [(100, 0.0), (99, 1.0), (40, 60.0)])
def test_age_is_the_difference_when_clocks_agree(sec: int, age_s: float) -> None:
    ages, warnings = reader(100.0)
    assert ages.age_s(Stamp(sec, 0)) == pytest.approx(age_s)
    assert not warnings


def test_age_is_zero_when_the_stamp_is_a_hair_ahead() -> None:
    ages, warnings = reader(100.0)
    assert ages.age_s(Stamp(100, 300_000_000)) == 0.0
    assert not warnings


@pytest.mark.parametrize("sec", [0, 101, 20_000])
def test_age_counts_from_reception_with_one_warning_when_clocks_cannot_be_compared(sec: int) -> None:
    ages, warnings = reader(10_000.0 if sec != 101 else 100.0)
    assert ages.age_s(Stamp(sec, 0)) == 0.0
    assert ages.age_s(Stamp(sec, 0)) == 0.0
    assert len(warnings) == 1
    assert "'image'" in warnings[0]


def test_stamp_is_kept_to_the_nanosecond_when_it_can_be_an_age() -> None:
    ages, _ = reader(100.0)
    for stamp in (Stamp(98, 123_456_789), Stamp(100, 400_000_001)):
        assert ages.read(stamp).stamp_ns == ns_from_stamp(stamp)


@pytest.mark.parametrize("camera_ahead_s", [-1e5, 0.0, 2.9, 5.0, 1e5], ids=lambda ahead_s: f"{ahead_s:g}")
def test_time_that_the_model_took_is_part_of_the_age_whatever_the_camera_says(camera_ahead_s: float) -> None:
    """One node reads the picture's stamp, and the next reads what that node says of it 3 s later."""
    now_s = [200_000.0]
    camera, percepts = (AgeReader(topic, lambda: int(now_s[0] * 1e9), lambda text: None) for topic in ("image", "p"))
    stamp_ns = camera.read(Stamp(int(now_s[0] + camera_ahead_s), 0)).stamp_ns
    now_s[0] += 3.0
    assert percepts.age_s(Stamp(*divmod(stamp_ns, 10**9))) == pytest.approx(3.0)


@pytest.mark.parametrize(("sec", "ahead_s"), [(0, 0.0), (99, 0.0), (100, 0.0), (101, 1.0), (105, 5.0)])
def test_stamp_is_ahead_when_it_lies_in_the_future(sec: int, ahead_s: float) -> None:
    assert reader(100.0)[0].ahead_s(Stamp(sec, 0)) == ahead_s


def test_a_stamp_that_stands_still_stays_old_when_an_hour_has_passed() -> None:
    now_s, warnings = [100.0], list[str]()
    ages = AgeReader("image", lambda: int(now_s[0] * 1e9), warnings.append)
    for later_s in (0.0, 3500.0, 3601.0, 3700.0, 1e6):
        now_s[0] = 100.0 + later_s
        assert ages.age_s(Stamp(100, 0)) == pytest.approx(later_s)
    assert len(warnings) == 1
    assert "'image'" in warnings[0]
    assert "count as old" in warnings[0]


def test_ages_are_right_again_when_a_clock_is_set_to_that_of_the_stamps() -> None:
    now_s, warnings = [5.0], list[str]()
    ages = AgeReader("image", lambda: int(now_s[0] * 1e9), warnings.append)
    assert ages.age_s(Stamp(10_000, 0)) == 0.0
    now_s[0] = 10_002.0
    assert ages.age_s(Stamp(10_000, 0)) == pytest.approx(2.0)
    assert ages.age_s(Stamp(5, 0)) == pytest.approx(9997.0)
    assert len(warnings) == 2
