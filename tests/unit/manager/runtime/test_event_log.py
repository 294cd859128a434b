"""What people read in the log of each event."""

import logging
from typing import Any

import pytest

from air_executor.format.attempts import Cause, Failure
from air_executor.format.models import TaskSpec
from manager.core.live_job import LiveJob
from manager.model.facts import (
    CancelRequested,
    ContainerVoided,
    DeadlinePassed,
    DiskExceeded,
    JobEnded,
    JobFact,
    JobVanished,
    LaunchFailed,
    NetworkLost,
    RequestRefused,
    TaskRequested,
)
from manager.runtime import event_log
from tests.unit.manager.builders import (
    UID,
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
)

A = key("a")
EXCEEDED = DiskExceeded(uid=UID, setting="job_disk_mb", unit="MiB", limit=8, used=9, at=at(9))


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, event_log.log.name)


def told(job: LiveJob, fact: JobFact, caplog: pytest.LogCaptureFixture) -> tuple[str, str]:
    """Level and words of the one line about a fact that has just been applied."""
    job.apply(fact)
    caplog.clear()
    event_log.report(job, fact)
    (record,) = caplog.records
    return record.levelname, record.getMessage()


def asks(request: str, *dependencies: str) -> TaskRequested:
    spec = TaskSpec(id="b", command="true", dependencies=dependencies)
    return TaskRequested(uid=UID, request=request, spec=spec, at=at(2))


def test_a_container_that_could_not_be_used_is_told_of_with_the_reason_and_the_last_one_as_the_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = live_job(task("a", retries=0))
    job.apply(claimed(A))
    for number in range(1, 5):
        void = ContainerVoided(key=key("a", incarnation=number), at=at(3), why="its gate has left")
        level, words = told(job, void, caplog)
        assert (level, "could not be used: its gate has left" in words) == ("INFO", True)
    level, words = told(job, ContainerVoided(key=key("a", incarnation=5), at=at(4), why="no more"), caplog)
    assert level == "WARNING"
    assert (
        "failed, cause engine: task 'a' could not be started: 5 containers could not be used: no more"
        in words
    )


def test_each_step_of_a_task_is_a_line_with_job_task_and_container(caplog: pytest.LogCaptureFixture) -> None:
    job = live_job(task("a"))
    facts = (claimed(A), created(A), started(A), exited(A), removed(A))
    about = "job=job task=a container=airx-a-1"
    assert [told(job, fact, caplog) for fact in facts] == [
        ("DEBUG", f"{about} claimed"),
        ("DEBUG", f"{about} created"),
        ("INFO", f"{about} started 3000 ms after it was ready (cold)"),
        ("INFO", f"{about} completed after 1000 ms"),
        ("DEBUG", f"{about} container removed"),
    ]


def test_a_failure_is_a_warning_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    job = begun(live_job(task("a")), "a")
    level, words = told(job, exited(A, 3), caplog)
    assert level == "WARNING"
    assert words.endswith("failed, cause exit: task 'a' ended with exit code 3")


def test_a_failure_that_another_attempt_may_cure_says_so(caplog: pytest.LogCaptureFixture) -> None:
    job = begun(live_job(task("a", retries=1)), "a")
    assert told(job, exited(A, 3), caplog)[1].endswith("ended with exit code 3 (to be tried again)")


def test_a_task_that_could_not_be_started_says_why(caplog: pytest.LogCaptureFixture) -> None:
    job = live_job(task("a", retries=0))
    job.apply(claimed(A))
    failure = Failure(cause=Cause.IMAGE, message="there is no image 'x'")
    level, words = told(job, LaunchFailed(key=A, failure=failure, at=at(2)), caplog)
    assert level == "WARNING"
    assert words.endswith("failed, cause image: there is no image 'x'")


@pytest.mark.parametrize(
    ("fact", "level", "words"),
    [
        (DeadlinePassed(key=A, at=at(9)), "WARNING", "runs longer than its timeout; stopping it"),
        (NetworkLost(uid=UID, at=at(9)), "ERROR", "job=job its network is gone"),
        (EXCEEDED, "ERROR", "job=job is stopped: it has 9 MiB on the disk, the setting job_disk_mb allows 8"),
        (
            CancelRequested(uid=UID, at=at(9)),
            "INFO",
            "job=job is to stop: job 'job' was can",
        ),
        (
            JobVanished(uid=UID, at=at(9)),
            "INFO",
            "job=job is to stop, and its cleanup with it: job 'job' was",
        ),
        (asks("r1", "a"), "INFO", "job=job task=b queued by request=r1"),
        (asks("r1", "nobody"), "WARNING", "job=job request=r1 rejected: "),
        (RequestRefused(uid=UID, request="r1", reason="is not JSON", at=at(9)), "WARNING", "is not JSON"),
    ],
)
def test_what_happens_to_a_job_is_told(
    fact: JobFact, level: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = told(begun(live_job(task("a", timeout=5)), "a"), fact, caplog)
    assert found[0] == level
    assert words in found[1]


def test_the_end_of_a_job_is_told_with_how_far_it_came(caplog: pytest.LogCaptureFixture) -> None:
    job = live_job(task("a"))
    run(job, "a")
    level, words = told(job, JobEnded(uid=UID, at=at(9)), caplog)
    assert (level, words) == ("INFO", f"job=job completed ({job.view().progress})")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"allow_failure": True}, "failed, which is allowed, cause exit: task 'a' ended with exit code 3"),
        ({"skip_exit_codes": (3,)}, "skipped: task 'a' ended with exit code 3"),
    ],
)
def test_a_failure_that_is_none_is_told_as_what_it_is(
    fields: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    job = begun(live_job(task("a", retries=0, **fields)), "a")
    assert told(job, exited(A, 3), caplog)[1].endswith(words)
