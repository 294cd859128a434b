"""A job writer says that a job was made in the year 9999: what is reckoned from that is nonsense.

Nothing that others have written of is after the moment at which it was found.
"""

from datetime import UTC, datetime

import pytest

from air_executor.format.attempts import Cause, Failure
from air_executor.format.models import Job, JobState, JobView, Task, TaskStatus
from manager.core import admission
from manager.model.facts import JobFound, JobRefused
from tests.unit.manager.builders import OWNER, T0, UID, at, settings, task

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
LATE = {"created_at": NEVER, "started_at": NEVER, "completed_at": T0}


def later(*_: object) -> tuple[Job, Task]:
    job = Job(id="1", name="job", created_at=NEVER, updated_at=NEVER, state=JobState.WAITING)
    return job, task("a", status=TaskStatus.COMPLETED).model_copy(update=LATE)


def check(job: Job, tasks: tuple[Task, ...]) -> None:
    now = at(5)
    assert job.created_at <= job.updated_at <= now
    for each in tasks:
        assert each.created_at <= now
        if each.started_at and each.completed_at:
            assert each.created_at <= each.started_at <= each.completed_at <= now


def test_a_job_that_is_taken_was_made_by_then() -> None:
    job, done = later()
    found = JobFound(name="job", job=job, tasks=(done, task("b")), owner=OWNER, at=at(5))
    view = admission.take(found, UID, settings()).view()
    check(view.job, view.tasks)


def test_one_that_is_refused_too() -> None:
    job, _ = later()
    check(admission.refused(JobRefused(name="job", job=job, message="no", at=at(5))), ())


def test_one_that_is_tried_again_too() -> None:
    job, done = later()
    failure = Failure(cause=Cause.EXIT, message="it failed")
    failed = task("b", status=TaskStatus.FAILED, failure=failure).model_copy(update={"created_at": NEVER})
    view = JobView(job=job.model_copy(update={"state": JobState.FAILED}), tasks=(done, failed))
    again = admission.take_again(view, OWNER, UID, None, settings(), at(5)).view()
    check(again.job, again.tasks)


@pytest.mark.parametrize("moment", [T0, at(5)])
def test_a_time_that_has_come_is_believed(moment: datetime) -> None:
    job = Job(id="1", name="job", created_at=moment, updated_at=moment)
    found = JobFound(name="job", job=job, tasks=(task("a"),), owner=OWNER, at=at(5))
    assert admission.take(found, UID, settings()).job.created_at == moment
