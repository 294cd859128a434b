"""A share of the time, and a little that was saved up."""

import pytest

from manager.folder.allowance import Allowance
from tests.unit.manager.builders import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def allowance(clock: Clock) -> Allowance:
    return Allowance(0.2, 1.0, clock)


def test_what_was_saved_up_can_be_spent_at_once(allowance: Allowance) -> None:
    allowance.spend(1.0)
    assert allowance.rest <= 0


def test_what_is_spent_beyond_that_takes_five_times_as_long_to_come_back(
    allowance: Allowance, clock: Clock
) -> None:
    allowance.spend(1.5)
    assert allowance.rest == pytest.approx(2.5)
    clock.now += 2.5
    assert allowance.rest == pytest.approx(0)


def test_no_more_is_saved_up_however_long_nothing_is_spent(allowance: Allowance, clock: Clock) -> None:
    clock.now += 10_000
    allowance.spend(2.0)
    assert allowance.rest == pytest.approx(5.0)
