"""PURE. From a folder that was found to a job that is taken, or refused with the rule that it breaks."""

from collections.abc import Sequence
from datetime import datetime

from air_executor.errors import BadInput
from air_executor.format.attempts import Cause, Failure, Phase
from air_executor.format.graph import check_graph
from air_executor.format.models import Job, JobState, JobView, Task, TaskStatus
from manager.core import lifecycle, policy
from manager.core.live_job import LiveJob
from manager.model.facts import JobFound, JobRefused
from manager.model.values import Owner
from manager.settings import Settings

NO_NETWORK = {"network": None, "slot": None}
"""Whose network its tasks share, a job does not say of itself; `slot` is how an older record did."""


def take(found: JobFound, uid: str, settings: Settings) -> LiveJob:
    """The live job. Raises BadInput."""
    _check(found.tasks, settings)
    for index, task in enumerate(found.tasks):
        _check_status(task, f"tasks[{index}]")
    own = {"job_name": found.name, "attempts": (), "earlier": 0, "request": None}
    tasks = [task.model_copy(update=own) for task in found.tasks]
    job = found.job.model_copy(update={"uid": uid, "failure": None, "requests": ()} | NO_NETWORK)
    live = LiveJob(job, tasks, found.owner, max_tasks=settings.max_tasks, bare=found.bare)
    live.submitted = found.submitted
    live.take(found.at)
    return live


def take_again(view: JobView, owner: Owner, uid: str, settings: Settings, at: datetime) -> LiveJob:
    """The live job that goes on where the ended one stopped: what failed or was skipped is pending.

    Since its views can be written by others while no manager minds them, they are checked as anew. Raises
    BadInput.
    """
    _check(view.tasks, settings)
    if view.state is not JobState.FAILED:
        raise BadInput(f'is "{view.state}"; only what failed or was skipped can be retried', field="state")
    tasks = [lifecycle.start_over(_with_attempts_over(task)) for task in view.tasks]
    job = view.job.model_copy(update={"uid": uid, "failure": None} | NO_NETWORK)
    live = LiveJob(job, tasks, owner, max_tasks=settings.max_tasks)
    live.take(at)
    live.tell_all()
    return live


def afresh(name: str, view: JobView, owner: Owner, at: datetime) -> JobFound:
    """The ended job as it was when it was found: without its records, and the tasks that it queued itself."""
    tasks = tuple(_as_defined(task, at) for task in view.tasks if task.request is None)
    job = view.job.model_copy(update={"state": JobState.WAITING, "created_at": at, "updated_at": at})
    return JobFound(name=name, job=job, tasks=tasks, owner=owner, at=at)


def _with_attempts_over(task: Task) -> Task:
    over = tuple(attempt.model_copy(update={"phase": Phase.REMOVED}) for attempt in task.attempts)
    return task.model_copy(update={"attempts": over})


def _as_defined(task: Task, at: datetime) -> Task:
    if task.status is TaskStatus.COMPLETED and not task.attempts:
        return task  # whoever wrote the job had it passed over
    fresh = lifecycle.again(task)
    return fresh.model_copy(update={"attempts": (), "earlier": 0, "created_at": at})


def _check(tasks: Sequence[Task], settings: Settings) -> None:
    check_graph(tasks)
    if len(tasks) > settings.max_tasks:
        raise BadInput(
            f"the job has {len(tasks)} tasks, the limit is max_tasks = {settings.max_tasks}",
            field="tasks",
        )
    for index, task in enumerate(tasks):
        policy.check(task, settings, f"tasks[{index}].")


def _check_status(task: Task, field: str) -> None:
    if task.status not in (TaskStatus.PENDING, TaskStatus.COMPLETED):
        raise BadInput(
            f'is {task.status.value!r}; a task of a new job is "pending", or "completed" to be passed over',
            field=f"{field}.status",
        )


def refused(folder: JobRefused, damaged_journal: str | None = None) -> Job:
    """What is said of a job that can't be: failed, with the rule as its message."""
    message = folder.message
    if damaged_journal is not None:
        message += f" (its journal was damaged, and is kept as journal/{damaged_journal})"
    failure = Failure(cause=Cause.BAD_INPUT, message=message)
    job = folder.job or Job(id=folder.name, name=folder.name)
    ended = {"state": JobState.FAILED, "failure": failure, "updated_at": max(folder.at, job.created_at)}
    return job.model_copy(update=ended)
