"""A job writer's job has attempts of its own: `status` would show a container that there never was.

Of what ran, only a manager says something: a job that is new or refused has no attempts.
"""

import pytest

from air_executor.format.attempts import Attempt, Cause, Container, Failure, Phase
from air_executor.format.models import Decision, Job, Task, TaskStatus
from manager.core import admission
from manager.model.facts import JobFound, JobRefused
from tests.unit.manager.builders import OWNER, T0, UID, at, settings, task

ATTEMPT = Attempt(number=1, phase=Phase.RUNNING, container=Container(name="theirs", image="i"))
CLAIMS = {
    "attempts": (ATTEMPT,),
    "earlier": 7,
    "request": "theirs",
    "error": "x",
    "failure": Failure(cause=Cause.EXIT, message="x"),
}
JOB = Job(
    id="1",
    name="job",
    created_at=T0,
    updated_at=T0,
    network="theirs",
    requests=(Decision(request="r", accepted=True, at=T0),),
)


def check(each: Task) -> None:
    assert (each.attempts, each.earlier, each.request) == ((), 0, None)


def test_a_refused_job_has_asked_for_nothing_and_its_tasks_are_left_as_they_are_written() -> None:
    """`status` shows no containers of a job that has ended."""
    job = admission.refused(JobRefused(name="job", job=JOB, message="no", at=at(5)))
    assert (job.network, job.requests) == (None, ())


@pytest.mark.parametrize("status", [TaskStatus.PENDING, TaskStatus.COMPLETED])
def test_a_job_that_is_taken_has_none(status: TaskStatus) -> None:
    theirs = task("a", status=status).model_copy(update=CLAIMS)
    found = JobFound(name="job", job=JOB, tasks=(theirs,), owner=OWNER, at=at(5))
    job = admission.take(found, UID, settings())
    check(job.tasks["a"])
    assert (job.tasks["a"].error, job.tasks["a"].failure) == (None, None)
    assert (job.job.network, job.requests) == (None, {})
