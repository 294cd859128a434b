"""Facts that come when their time has."""

from datetime import datetime
from pathlib import Path

import pytest

from manager.model.facts import Fact, GracePassed
from manager.runtime.timers import Timers
from tests.unit.manager.builders import Clock, key


@pytest.fixture
def clock() -> Clock:
    return Clock()


def grace(name: str, told: datetime) -> Fact:
    return GracePassed(key=key(name), at=told)


def names(facts: list[Fact]) -> list[str]:
    return [fact.key.task for fact in facts if isinstance(fact, GracePassed)]


def test_facts_come_in_the_order_of_their_times_and_none_too_early(clock: Clock) -> None:
    facts: list[Fact] = []
    timers = Timers(facts.append, clock)
    for name, seconds in (("c", 3), ("a", 1), ("b", 2), ("a2", 1)):
        timers.add(seconds, lambda at, name=name: grace(name, at))
    for now, expected in (
        (100.9, []),
        (101, ["a", "a2"]),
        (102.5, ["a", "a2", "b"]),
        (900, ["a", "a2", "b", "c"]),
    ):
        clock.now = now
        timers.run_due()
        timers.run_due()
        assert names(facts) == expected


def test_what_is_due_already_comes_at_once(clock: Clock) -> None:
    facts: list[Fact] = []
    timers = Timers(facts.append, clock)
    timers.add(-5, lambda at: grace("late", at))
    assert timers.pause(60) == 0
    timers.run_due()
    assert names(facts) == ["late"]


def test_the_pause_is_until_the_next_fact_and_never_longer_than_asked(clock: Clock) -> None:
    timers = Timers(lambda fact: None, clock)
    assert timers.pause(5) == 5
    timers.add(2, lambda at: grace("a", at))
    assert timers.pause(5) == 2
    assert timers.pause(1) == 1


def test_the_wall_clock_plays_no_part() -> None:
    """FAULTS 21: a clock that jumps a day ends no task early."""
    import inspect
    import time

    assert inspect.signature(Timers).parameters["clock"].default is time.monotonic
    assert Path(inspect.getfile(Timers)).read_text().count("utc_now()") == 1, "for the fact's own time only"
