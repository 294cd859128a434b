"""A job that goes on although it has failed, was cancelled, or took too long: `LiveJob` again."""

import pytest

from air_executor.clock import Instant
from air_executor.format.attempts import Cause, Failure
from air_executor.format.conditions import RunIf
from air_executor.format.halts import TimeLimit
from air_executor.format.models import JobState, TaskSpec
from manager.core import lifecycle
from manager.core.live_job import LiveJob
from manager.model.facts import (
    CancelRequested,
    ContainerDropped,
    DeadlinePassed,
    DiskExceeded,
    JobBroken,
    JobEnded,
    JobFact,
    JobTimedOut,
    JobVanished,
    LaunchFailed,
    NetworkLost,
    TaskRequested,
)
from tests.unit.manager.builders import (
    T0,
    UID,
    ahead,
    at,
    begun,
    claimed,
    created,
    exited,
    key,
    live_job,
    removed,
    run,
    started,
    task,
    waits,
)
from tests.unit.manager.core.test_live_job import statuses
from tests.unit.manager.world import replayed

ALWAYS = {"run_if": "always"}


def cancelled(job: LiveJob, marker: str = "1") -> LiveJob:
    job.apply(CancelRequested(uid=UID, marker=marker, at=at(5)))
    return job


def ended(job: LiveJob) -> LiveJob:
    assert job.settled
    job.apply(JobEnded(uid=UID, at=at(9)))
    return job


def cleaning() -> LiveJob:
    """A job that was cancelled, whose cleanup runs."""
    job = cancelled(begun(live_job(task("a"), task("clean", "a", **ALWAYS)), "a"))
    job.apply(exited(key("a"), 143))
    job.apply(removed(key("a")))
    return begun(job, "clean")


def test_a_cancel_leaves_cleanup_and_the_job_ends_as_cancelled_after_it() -> None:
    job = cleaning()
    assert statuses(job) == {"a": "failed", "clean": "running"}
    assert job.tasks["clean"].attempts[0].stopping is None
    job.apply(exited(key("clean")))
    job.apply(removed(key("clean")))
    ended(job)
    assert (job.job.state, job.job.outcome) == (JobState.FAILED, None)
    assert job.failure is not None and job.failure.cause is Cause.CANCELLED


def test_the_same_cancel_told_again_and_after_a_restart_is_no_second_one() -> None:
    job = cancelled(cancelled(cleaning()))
    assert job.tasks["clean"].attempts[0].stopping is None
    again = cancelled(replayed(job))
    assert again.tasks["clean"].attempts[0].stopping is None


@pytest.mark.parametrize(
    "fact",
    [
        CancelRequested(uid=UID, marker="2", at=at(6)),
        JobVanished(uid=UID, at=at(6)),
        DiskExceeded(uid=UID, setting="job_disk_mb", unit="MiB", limit=8, used=9, at=at(6)),
        JobBroken(uid=UID, message="an error", at=at(6)),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_what_stops_cleanup_as_well(fact: JobFact) -> None:
    job = cancelled(
        begun(live_job(task("a"), task("clean", "a", **ALWAYS), task("b", "clean", **ALWAYS)), "a")
    )
    job.apply(exited(key("a"), 143))
    job.apply(removed(key("a")))
    begun(job, "clean")
    job.apply(fact)
    assert job.tasks["clean"].attempts[0].stopping is Cause.CANCELLED
    assert statuses(job) == {"a": "failed", "clean": "running", "b": "skipped"}
    assert not job.may_begin
    job.apply(exited(key("clean"), 143))
    job.apply(removed(key("clean")))
    assert not job.ready
    assert ended(job).failure == job.failure


def test_of_what_is_stopped_nothing_is_wanted_unless_it_may_have_ended_in_time() -> None:
    job = begun(live_job(task("a"), task("b")), "a", "b")
    job.apply(DeadlinePassed(key=key("a"), at=at(4)))
    assert list(job.called_off()) == [], "its outputs may be looked for just now"
    cancelled(job)
    assert list(job.called_off()) == [key("a"), key("b")]


def test_what_has_lost_its_network_is_not_called_off_unless_its_job_is() -> None:
    job = begun(live_job(task("a")), "a")
    job.apply(NetworkLost(uid=UID, at=at(4)))
    assert list(job.called_off()) == []
    assert list(cancelled(job).called_off()) == [key("a")]


def test_of_cleanup_something_is_wanted_until_the_second_cancel() -> None:
    job = cleaning()
    job.apply(DeadlinePassed(key=key("clean"), at=at(6)))
    assert list(job.called_off()) == []
    assert list(cancelled(job, "2").called_off()) == [key("clean")]


def test_cleanup_that_had_run_out_of_time_is_not_tried_again_once_it_is_called_off() -> None:
    job = cancelled(begun(live_job(task("a"), task("c", "a", retries=5, **ALWAYS)), "a"))
    for fact in (exited(key("a"), 143), removed(key("a"))):
        job.apply(fact)
    begun(job, "c")
    job.apply(DeadlinePassed(key=key("c"), at=at(7)))
    job = replayed(cancelled(job, "2"))
    job.apply(exited(key("c"), 137, seconds=70))
    assert statuses(job)["c"] == "failed"


def test_cleanup_has_its_retries_also_when_its_job_has_failed() -> None:
    job = live_job(task("a", retries=0), task("c", "a", retries=1, **ALWAYS))
    run(job, "a", 1)
    run(job, "c", 1)
    assert list(job.ready) == ["c"]
    run(job, "c", 0, number=2)
    assert statuses(job) == {"a": "failed", "c": "completed"}


def test_a_first_cancel_after_a_failure_spares_cleanup() -> None:
    job = live_job(task("a", retries=0), task("c", "a", **ALWAYS))
    run(job, "a", 1)
    cancelled(begun(job, "c"))
    assert job.tasks["c"].attempts[0].stopping is None
    cancelled(job, "2")
    assert job.tasks["c"].attempts[0].stopping is Cause.CANCELLED
    for fact in (exited(key("c"), 143), removed(key("c"))):
        job.apply(fact)
    assert ended(job).job.outcome == "cancelled"
    assert job.failure is not None and job.failure.cause is Cause.EXIT


def asks(job: LiveJob, task_id: str, *after: str, parent: str | None = None, **fields: object) -> None:
    spec = TaskSpec.model_validate({"id": task_id, "command": "true", "dependencies": after} | fields)
    by = None if parent is None else key(parent)
    job.apply(TaskRequested(uid=UID, request=f"r-{task_id}", spec=spec, parent=by, at=at(6)))


def test_what_a_task_has_queued_is_no_cleanup_for_a_cancel_and_is_for_a_failure() -> None:
    job = begun(live_job(task("a", retries=0), task("b")), "a", "b")
    asks(job, "before", "a", parent="a", **ALWAYS)
    job.apply(exited(key("a"), 1))
    job.apply(removed(key("a")))
    assert list(job.ready) == ["before"]
    cancelled(job)
    asks(job, "after", "a", parent="b", **ALWAYS)
    asks(job, "outside", "a", **ALWAYS)
    assert {name: statuses(job)[name] for name in ("before", "after", "outside")} == {
        "before": "skipped",
        "after": "skipped",
        "outside": "pending",
    }


def test_a_task_that_is_queued_behind_what_is_over_is_asked_at_once() -> None:
    job = live_job(task("a"), task("b"))
    run(job, "a")
    asks(job, "c", "a", run_if="failure")
    assert statuses(job)["c"] == "skipped"
    asks(job, "d", run_if="failure")
    assert "d" not in job.tasks
    reason = job.requests["r-d"].reason
    assert reason is not None and "depends on nothing" in reason


def timed(*tasks: object, **fields: object) -> LiveJob:
    limit = TimeLimit(seconds=60, at=T0, since=Instant(boot="a", seconds=1))
    return live_job(*tasks, limit=limit, **fields)  # type: ignore[arg-type]


def test_a_job_that_took_too_long_is_stopped_but_for_cleanup() -> None:
    job = begun(timed(task("a"), task("b", "a"), task("c", "a", **ALWAYS)), "a")
    job.apply(JobTimedOut(uid=UID, at=at(61)))
    assert job.tasks["a"].attempts[0].stopping is Cause.CANCELLED
    assert statuses(job) == {"a": "running", "b": "skipped", "c": "pending"}
    job = replayed(job)
    job.apply(JobTimedOut(uid=UID, at=at(62)))
    job.apply(exited(key("a"), 143))
    job.apply(removed(key("a")))
    run(job, "c")
    ended(job)
    assert job.failure is not None and job.failure.cause is Cause.TIMEOUT
    assert "longer than its timeout of 60 s" in job.failure.message
    assert job.job.outcome == "timed_out"


def test_what_was_stopped_then_says_so_and_is_not_tried_again() -> None:
    job = begun(timed(task("a", retries=3), task("b", "a")), "a")
    job.apply(JobTimedOut(uid=UID, at=at(61)))
    job = replayed(job)
    job.apply(exited(key("a"), 143))
    failure = job.tasks["a"].failure
    assert failure is not None and failure.message == (
        "task 'a' was stopped: its job took longer than its timeout of 60 s"
    )
    assert failure.cause is Cause.CANCELLED
    assert (job.tasks["a"].error, job.tasks["a"].attempts[0].failure) == (failure.message, failure)
    assert len(job.tasks["a"].attempts) == 1 and not job.ready
    skipped = job.tasks["b"].failure
    assert skipped is not None and skipped.cause is Cause.TIMEOUT


def test_cleanup_that_was_cancelled_then_does_not_say_so() -> None:
    job = begun(timed(task("a"), task("c", "a", **ALWAYS)), "a")
    for fact in (JobTimedOut(uid=UID, at=at(61)), exited(key("a"), 143), removed(key("a"))):
        job.apply(fact)
    cancelled(cancelled(begun(job, "c")), "2").apply(exited(key("c"), 143))
    assert job.tasks["c"].error == "task 'c' was stopped: its job was cancelled"


def test_a_cancel_after_that_is_the_first_and_the_next_the_second() -> None:
    job = begun(timed(task("a"), task("c", "a", **ALWAYS)), "a")
    job.apply(JobTimedOut(uid=UID, at=at(61)))
    for fact in (exited(key("a"), 143), removed(key("a"))):
        job.apply(fact)
    cancelled(begun(job, "c"))
    assert job.tasks["c"].attempts[0].stopping is None
    assert cancelled(job, "2").tasks["c"].attempts[0].stopping is Cause.CANCELLED


def test_a_job_without_a_limit_has_time() -> None:
    job = begun(live_job(task("a")), "a")
    job.apply(JobTimedOut(uid=UID, at=at(61)))
    assert job.failure is None


def test_nothing_is_made_ahead_for_what_runs_after_failures() -> None:
    job = begun(live_job(task("a"), task("f", "a", run_if="failure"), task("c", "a", **ALWAYS)), "a")
    assert list(job.prospects()) == ["c"]


def waiting_ahead(*facts: JobFact) -> LiveJob:
    """A job in which `a` runs, which may say that `b` is not needed; with a container for that."""
    job = begun(
        live_job(task("a", skip_exit_codes=(99,), retries=0), task("b", "a"), on_failure="continue"), "a"
    )
    for fact in (ahead(key("b")), *facts):
        job.apply(fact)
    return job


MADE = [created(key("b")), waits(key("b"))]


@pytest.mark.parametrize(("code", "outcome"), [(99, "not_called_for"), (1, None)])
@pytest.mark.parametrize("far", [0, 1, 2])
def test_what_was_made_ahead_for_a_task_that_is_not_called_for_is_thrown_away(
    far: int, code: int, outcome: str | None
) -> None:
    job = waiting_ahead(*MADE[:far])
    job.apply(exited(key("a"), code))
    job.apply(removed(key("a")))
    if far:
        assert job.tasks["b"].attempts[0].stopping is Cause.CANCELLED
        job.apply(ContainerDropped(key=key("b"), at=at(7)))
    job.apply(removed(key("b")))
    b = job.tasks["b"]
    assert (b.status, b.outcome, b.attempts) == ("skipped", outcome, ())
    assert (b.failure is None) == (outcome is not None)
    assert b.error is not None and b.error.startswith("never ran: task 'a'")
    assert job.settled


@pytest.mark.parametrize("broken", ["launch", "exit"])
def test_what_goes_wrong_with_it_is_nobodys_failure(broken: str) -> None:
    job = waiting_ahead(*MADE[: 2 if broken == "exit" else 0])
    if broken == "launch":
        job.apply(created(key("b")))
    job.apply(exited(key("a"), 99))
    failure = Failure(cause=Cause.ENGINE, message="it broke")
    facts = {"launch": LaunchFailed(key=key("b"), failure=failure, at=at(7)), "exit": exited(key("b"), 137)}
    job.apply(facts[broken])
    job.apply(removed(key("b")))
    job.apply(removed(key("a")))
    assert statuses(job) == {"a": "skipped", "b": "skipped"}
    assert ended(job).job.state is JobState.COMPLETED


def test_a_job_that_goes_on_after_failures_keeps_the_first() -> None:
    job = live_job(task("a", retries=0), task("b", retries=0), task("c", "b"), on_failure="continue")
    run(job, "b", 2)
    run(job, "a", 1)
    assert statuses(ended(job)) == {"a": "failed", "b": "failed", "c": "skipped"}
    assert job.failure is not None and job.failure.exit_code == 2
    assert job.tasks["c"].failure is not None
    assert job.tasks["c"].failure.message == "never ran: task 'b' ended with exit code 2"


def test_a_failure_with_ten_thousand_dependants_one_behind_the_other_is_one_walk() -> None:
    chain = [task("t0", retries=0), *(task(f"t{n}", f"t{n - 1}") for n in range(1, 10_000))]
    job = live_job(*chain, max_tasks=10_000, on_failure="continue")
    run(job, "t0", 1)
    assert ended(job).tasks["t9999"].status == "skipped"


@pytest.mark.parametrize("made", [False, True], ids=["untouched", "made ahead"])
def test_what_is_not_called_for_this_time_is_skipped_although_it_has_failed_before(made: bool) -> None:
    """In a job that was tried again: an attempt of the last time is no failure of this time."""
    before = live_job(task("a", retries=0), task("b", "a", run_if="always", retries=0))
    run(before, "a", 1)
    run(before, "b", 1)
    again = [lifecycle.start_over(each) for each in before.tasks.values()]
    again[1] = again[1].model_copy(update={"run_if": RunIf.SUCCESS})
    again[0] = again[0].model_copy(update={"skip_exit_codes": (99,)})
    job = LiveJob(before.job.model_copy(update={"failure": None}), again, before.owner, max_tasks=9)
    for fact in (claimed(key("a", 2)), created(key("a", 2)), started(key("a", 2))):
        job.apply(fact)
    if made:
        job.apply(ahead(key("b", 2)))
    job.apply(exited(key("a", 2), 99))
    for of in (key("a", 2), key("b", 2)):
        job.apply(removed(of))
    b = job.tasks["b"]
    assert (b.status, b.outcome, b.failure, b.started_at) == ("skipped", "not_called_for", None, None)
    assert ended(job).job.state is JobState.COMPLETED
