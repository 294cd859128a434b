"""A walk ends, and rests, whatever is made where it goes."""

from itertools import count

import pytest

from manager.folder.pace import AT_ONCE, SAVED, SHARE, STEPS_A_NAME, Endless, Pace


class Stop(Exception):
    """What a manager that stops raises."""


def test_all_steps_are_taken_that_as_many_names_as_a_job_may_have_need() -> None:
    most = STEPS_A_NAME * 300
    assert list(Pace(300).keep(iter(range(most)))) == list(range(most))


def test_a_walk_that_has_no_end_is_ended() -> None:
    pace, seen = Pace(300), 0
    with pytest.raises(Endless):
        for _ in pace.keep(count()):
            seen += 1
    assert seen == STEPS_A_NAME * 300
    assert len(list(pace.keep(iter(range(1000))))) == 1000, "each walk is counted by itself"


def test_a_walk_takes_its_share_of_a_processor_and_what_was_saved_up() -> None:
    rests: list[float] = []
    spent = count(0, 0.1)
    for _ in Pace(1000, rests.append, lambda: next(spent)).keep(iter(range(20))):
        pass
    assert rests[:9] == [0] * 9, "what was saved"
    assert rests[-1] == pytest.approx((2 - SAVED) / SHARE, abs=0.5)


def test_steps_that_take_long_are_rested_from_however_few_they_are() -> None:
    rests: list[float] = []
    spent = count(0, 30)
    for _ in Pace(1000, rests.append, lambda: next(spent)).keep(iter(range(2))):
        pass
    assert rests == [pytest.approx((30 - SAVED) / SHARE, abs=5), pytest.approx((60 - SAVED) / SHARE, abs=5)]


def test_a_walk_that_has_computed_little_does_not_rest_and_is_ended_by_a_manager_that_stops() -> None:
    def stop(seconds: float) -> None:
        assert seconds == 0
        raise Stop

    steps = Pace(1000, stop, lambda: 0).keep(count())
    assert [next(steps) for _ in range(AT_ONCE)] == list(range(AT_ONCE))
    with pytest.raises(Stop):
        next(steps)
