"""Whether a task is tried again, when, and with how much memory."""

import pytest

from air_executor.format.attempts import Attempt, Cause, Container, Failure, Phase, Timings
from air_executor.format.models import Task, TaskStatus
from manager.core import lifecycle, retries
from tests.unit.manager.builders import after, at, claimed, created, exited, key, removed, started, task

A = key("a")


@pytest.mark.parametrize("cause", list(Cause))
def test_only_what_another_attempt_may_cure_is_retried(cause: Cause) -> None:
    failed = task("a", retries=1).model_copy(
        update={"status": TaskStatus.FAILED, "failure": Failure(cause=cause, message="x")}
    )
    expected = cause not in (Cause.CANCELLED, Cause.COMMAND, Cause.BAD_INPUT)
    assert retries.may_retry(failed) is expected


def test_retries_are_counted() -> None:
    failed = after(claimed(A), created(A), started(A), exited(A, 1), removed(A), of=task("a", retries=1))
    assert retries.may_retry(failed)
    second = key("a", 2)
    facts = (claimed(second), created(second), started(second), exited(second, 1))
    again = after(*facts, of=lifecycle.again(failed))
    assert not retries.may_retry(again)


def failed(cause: Cause, *, of: Task) -> Task:
    """The task after one more attempt that has failed."""
    attempt = Attempt(
        number=len(of.attempts) + 1,
        phase=Phase.REMOVED,
        container=Container(name="c", image="i"),
        failure=Failure(cause=cause, message="it did"),
        timings=Timings(recorded_at=at(10)),
    )
    update = {"status": TaskStatus.FAILED, "failure": attempt.failure, "attempts": (*of.attempts, attempt)}
    return of.model_copy(update=update)


@pytest.mark.parametrize("cause", ["lost", "engine"])
def test_what_was_no_fault_of_the_task_gets_one_further_attempt_by_default(cause: str) -> None:
    once = failed(Cause(cause), of=task("a"))
    assert retries.may_retry(once)
    assert not retries.may_retry(failed(Cause(cause), of=once))


@pytest.mark.parametrize("cause", ["exit", "signal", "oom", "timeout", "image"])
def test_nothing_else_gets_one_by_default(cause: str) -> None:
    assert not retries.may_retry(failed(Cause(cause), of=task("a")))


def test_a_policy_names_the_causes_that_get_a_further_attempt() -> None:
    of = task("a", retries={"max": 2, "on": ["oom"]})
    assert retries.may_retry(failed(Cause.OOM, of=of))
    assert not retries.may_retry(failed(Cause.LOST, of=of))


@pytest.mark.parametrize("cause", ["cancelled", "command", "bad_input"])
def test_some_causes_are_cured_by_no_attempt(cause: str) -> None:
    assert not retries.may_retry(failed(Cause(cause), of=task("a", retries=9)))


def test_the_pause_before_each_attempt_is_twice_the_one_before_and_an_hour_at_most() -> None:
    of = task("a", retries={"max": 50, "backoff": 10})
    pauses = []
    for _ in range(12):
        of = failed(Cause.EXIT, of=of)
        pauses.append(retries.rest(of))
    assert pauses[:4] == [10, 20, 40, 80]
    assert pauses[-1] == 3600


def test_memory_grows_with_each_attempt_that_had_too_little_up_to_the_ceiling() -> None:
    of = task("a", retries={"max": 5, "memory_factor": 2}, resources={"memory_mb": 100})
    grown = []
    for _ in range(4):
        of = failed(Cause.OOM, of=of)
        grown.append(retries.memory_mb(of, 512, 500))
    assert grown == [200, 400, 500, 500]
    assert retries.memory_mb(failed(Cause.EXIT, of=task("a", retries=1)), 512, 8192) == 512


def test_the_policy_may_set_a_ceiling_of_its_own() -> None:
    of = failed(Cause.OOM, of=task("a", retries={"memory_factor": 10, "memory_max_mb": 700}))
    assert retries.memory_mb(of, 512, 8192) == 700


def test_attempts_before_a_retry_of_the_job_count_neither_for_retries_nor_for_the_pause() -> None:
    of = failed(Cause.OOM, of=task("a", retries={"max": 1, "backoff": 5, "memory_factor": 2}))
    of = lifecycle.start_over(failed(Cause.OOM, of=of))
    assert (of.status, len(of.attempts), retries.rest(of)) == (TaskStatus.PENDING, 2, 0)
    assert retries.memory_mb(of, 512, 8192) == 512
    assert retries.may_retry(failed(Cause.OOM, of=of))
