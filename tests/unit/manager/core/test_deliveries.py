"""How much the tasks of a job may leave together, and what becomes of what they leave."""

from dataclasses import replace

import pytest

from air_executor.format.models import TaskStatus
from air_executor.format.results import OutputFile, Result
from manager.core import deliveries, lifecycle
from manager.model.delivery import Delivery
from tests.unit.manager.builders import (
    after,
    begun,
    claimed,
    created,
    exited,
    key,
    live_job,
    started,
    succeeded,
    task,
)

FILES = (OutputFile(path="a", size=1, sha256="0" * 64),)
LEFT = Delivery(Result("1"), FILES)
BEFORE = (claimed(key()), created(key()), started(key()))


def test_what_a_command_leaves_is_its_tasks_when_it_has_succeeded() -> None:
    done = after(*BEFORE, exited(key(), delivery=LEFT))
    assert (done.result, done.produced, done.status) == (Result("1"), FILES, TaskStatus.COMPLETED)


def test_it_is_there_as_soon_as_its_gate_has_told_of_the_success() -> None:
    told = after(*BEFORE, replace(succeeded(key()), delivery=LEFT))
    assert told.done and told.result == Result("1")


def test_what_was_told_first_stays() -> None:
    """A task that stays when its gate has spoken can't change what it has left."""
    told = after(
        *BEFORE,
        replace(succeeded(key()), delivery=LEFT),
        exited(key(), delivery=Delivery(Result("2"))),
    )
    assert told.result == Result("1")
    refused = after(
        *BEFORE, replace(succeeded(key()), delivery=LEFT), exited(key(), delivery=Delivery(problem="swapped"))
    )
    assert refused.status is TaskStatus.COMPLETED and refused.result == Result("1")


def test_a_success_whose_result_can_not_be_taken_is_left_to_the_engine_to_tell() -> None:
    told = after(*BEFORE, replace(succeeded(key()), delivery=Delivery(problem="is a link")))
    assert not told.done


@pytest.mark.parametrize("code", [1, 137])
def test_nothing_is_kept_of_a_command_that_failed(code: int) -> None:
    failed = after(*BEFORE, exited(key(), code, delivery=LEFT))
    assert (failed.result, failed.produced) == (None, ())


def test_a_problem_is_a_failure_of_its_own_cause() -> None:
    failed = after(*BEFORE, exited(key(), delivery=Delivery(problem="is a link")))
    assert failed.failure is not None
    assert (failed.failure.cause, failed.failure.exit_code) == ("bad_input", 0)
    assert "is a link" in failed.failure.message


def test_a_task_that_starts_over_has_left_nothing() -> None:
    done = after(*BEFORE, exited(key(), delivery=LEFT))
    assert lifecycle.again(done).result is None


def test_what_all_tasks_leave_together_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manager.core.live_job.MAX_HANDED_OVER", 10)
    job = begun(live_job(task("a"), task("b"), task("c")), "a", "b", "c")
    job.apply(exited(key("a"), delivery=Delivery(Result("123456"))))
    job.apply(replace(succeeded(key("b")), delivery=Delivery(Result("12345"))))
    assert not job.tasks["b"].done
    job.apply(exited(key("c"), delivery=Delivery(Result("1234"))))
    assert job.tasks["c"].result == Result("1234")
    job.apply(exited(key("b"), delivery=Delivery(Result("12345"))))
    failure = job.tasks["b"].failure
    assert failure is not None and failure.cause == "bad_input" and "together" in failure.message


def test_what_was_left_before_a_restart_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manager.core.live_job.MAX_HANDED_OVER", 10)
    done = after(*BEFORE, exited(key(), delivery=Delivery(Result("123456"))))
    job = begun(live_job(done, task("b")), "b")
    job.apply(exited(key("b"), delivery=Delivery(Result("12345"))))
    assert job.tasks["b"].status is TaskStatus.FAILED


def test_what_leaves_nothing_is_passed_on_as_it_is() -> None:
    fact = exited(key())
    assert deliveries.bounded(fact, 0) is fact
