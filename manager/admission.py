"""PURE. From a folder that was found to a job that is taken, or refused with the rule that it breaks."""

from collections.abc import Sequence

from air_executor.errors import BadInput
from air_executor.graph import check_graph
from air_executor.models import Cause, Failure, Job, JobState, Task, TaskFields, TaskStatus, utc_now
from manager import lifecycle
from manager.facts import JobFound, JobRefused
from manager.live_job import LiveJob
from manager.settings import Settings


def take(found: JobFound, uid: str, settings: Settings) -> LiveJob:
    """The live job. Raises BadInput."""
    check_graph(found.tasks)
    if len(found.tasks) > settings.max_tasks:
        raise BadInput(
            f"the job has {len(found.tasks)} tasks, the limit is max_tasks = {settings.max_tasks}",
            field="tasks",
        )
    for index, task in enumerate(found.tasks):
        _check_status(task, f"tasks[{index}]")
        check_policy(task, settings, f"tasks[{index}].")
    tasks = [task.model_copy(update={"job_name": found.name, "attempts": ()}) for task in found.tasks]
    job = found.job.model_copy(update={"uid": uid, "failure": None, "requests": ()})
    live = LiveJob(job, tasks, found.owner, max_tasks=settings.max_tasks)
    live.take(found.at)
    return live


def check_policy(task: TaskFields, settings: Settings, field: str = "") -> None:
    """Whether the operator allows what the task asks for. Raises BadInput."""
    if task.network not in (None, "job", "private", "none", *settings.networks):
        allowed = ", ".join(("job", "private", "none", *settings.networks))
        raise BadInput(
            f"{task.network!r} is not allowed here; allowed are {allowed} (setting `networks`)",
            field=f"{field}network",
        )


def _check_status(task: Task, field: str) -> None:
    if task.status not in (TaskStatus.PENDING, TaskStatus.COMPLETED):
        raise BadInput(
            f'is {task.status.value!r}; a task of a new job is "pending", or "completed" to be passed over',
            field=f"{field}.status",
        )


def refused(folder: JobRefused) -> tuple[Job, Sequence[Task]]:
    """What the folder's views say of a job that can't be: failed, with the rule as its message."""
    failure = Failure(cause=Cause.BAD_INPUT, message=folder.message)
    job = folder.job or Job(id=folder.name, name=folder.name)
    ended = {"state": JobState.FAILED, "failure": failure, "updated_at": max(folder.at, job.created_at)}
    tasks = [
        task if task.status.ended else lifecycle.skip(task, failure, folder.at or utc_now())
        for task in folder.tasks
    ]
    return job.model_copy(update=ended), tasks
