"""What is taken from the tasks of a job that has completed."""

from datetime import UTC, datetime, timedelta

import pytest

from air_executor.format.attempts import Attempt, Container, Phase, Timings
from air_executor.format.models import Task
from bench.waits import Waits

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def task(name: str, start: str, ready: float, started: float, finished: float, *before: str) -> Task:
    """Times are milliseconds from BEGIN."""
    at = [BEGIN + timedelta(milliseconds=value) for value in (ready, started, finished)]
    attempt = Attempt(
        number=1,
        phase=Phase.REMOVED,
        start=start,
        container=Container(name=name, image="image"),
        timings=Timings(ready_at=at[0], started_at=at[1], finished_at=at[2]),
    )
    return Task(id=name, command="true", dependencies=before, attempts=(attempt,))


def test_waits_are_told_apart_by_how_the_attempt_began() -> None:
    waits = Waits()
    waits.note([task("a", "warm", 0, 4, 50), task("b", "cold", 0, 300, 400), task("c", "ahead", 0, 2, 9)])
    assert waits.prepared == pytest.approx([4, 2])
    assert waits.others == pytest.approx([300])


def test_a_hand_over_is_counted_from_the_last_dependency_to_end() -> None:
    waits = Waits()
    waits.note(
        [task("a", "warm", 0, 4, 50), task("b", "warm", 0, 4, 70), task("c", "ahead", 75, 80, 90, "a", "b")]
    )
    assert waits.hand_overs == pytest.approx([10])
