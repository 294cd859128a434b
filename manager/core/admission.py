"""PURE. From a folder that was found to a job that is taken, or refused with the rule that it breaks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from air_executor.clock import Instant
from air_executor.errors import BadInput
from air_executor.format.attempts import Cause, Failure, Phase
from air_executor.format.defaults import read_defaults, with_defaults
from air_executor.format.gpus import number_of
from air_executor.format.graph import check_graph
from air_executor.format.models import Job, JobState, JobView, Task, TaskSpec, TaskStatus
from manager.core import lifecycle, policy
from manager.core.live_job import LiveJob
from manager.core.rerun import rerun
from manager.model.facts import JobFound, JobRefused, TaskRequested
from manager.model.values import BY_ROOT, UNKNOWN_HOST, Host, Owner, Sharing
from manager.settings import Settings

NOTHING_GIVEN = {"network": None, "work_folder": None, "slot": None, "runs_as": None} | {
    "outcome": None,
    "halt": None,
    "limit": None,
}
"""What its tasks share, as whom they run, and what became of it, a job does not say of itself; `slot` is how
an older record told of the network."""
NOT_BEGUN = {
    "attempts": (),
    "earlier": 0,
    "request": None,
    "parent": None,
    "error": None,
    "failure": None,
    "outcome": None,
    "result": None,
    "produced": (),
}
"""What became of a task, nobody says but a manager that made its containers."""


def take(
    found: JobFound,
    uid: str,
    settings: Settings,
    able: Sharing = BY_ROOT,
    host: Host = UNKNOWN_HOST,
    since: Instant | None = None,
) -> LiveJob:
    """The live job. `since` is now, from when on its time counts. Raises BadInput."""
    given, defined = _with_defaults(found.job, found.tasks)
    found = replace(found, job=given, tasks=defined)
    policy.check_job(found.job, settings)
    _check(found.tasks, found.owner, settings, host)
    policy.check_sharing(found.tasks, found.owner, settings, able)
    for index, task in enumerate(found.tasks):
        _check_status(task, f"tasks[{index}]")
    own = {"job_name": found.name} | NOT_BEGUN
    tasks = [_until(found.at, task).model_copy(update=own) for task in found.tasks]
    times = _times_until(found.at, found.job)
    job = found.job.model_copy(update={"uid": uid, "failure": None, "requests": ()} | times | NOTHING_GIVEN)
    job = _limited(job, settings, found.at, since)
    # A writer may give any time, a template's for example: nothing of the job could run before it was found.
    live = LiveJob(job, tasks, found.owner, max_tasks=settings.max_tasks, bare=found.bare, since=found.at)
    live.submitted = found.submitted
    live.take(found.at)
    return live


def take_again(
    view: JobView,
    owner: Owner,
    uid: str,
    work_folder: str | None,
    settings: Settings,
    at: datetime,
    able: Sharing = BY_ROOT,
    host: Host = UNKNOWN_HOST,
    since: Instant | None = None,
) -> LiveJob:
    """The live job that goes on where the ended one stopped: what failed or was skipped is pending.

    `work_folder` is the one that it had. What its views say of themselves is not believed.
    Since its views can be written by others while no manager minds them, they are checked as anew. Raises
    BadInput.
    """
    # One that was refused before has not given them its defaults.
    given, defined = _with_defaults(view.job, view.tasks)
    policy.check_job(given, settings)
    _check(defined, owner, settings, host)
    policy.check_sharing(defined, owner, settings, able)
    if view.state is not JobState.FAILED:
        raise BadInput(f'is "{view.state}"; only what failed or was skipped can be retried', field="state")
    tasks = rerun([_with_attempts_over(_until(at, task)) for task in defined])
    own = {"uid": uid, "failure": None} | NOTHING_GIVEN | {"work_folder": work_folder}
    job = given.model_copy(update=own | _times_until(at, given))
    job = _limited(job, settings, at, since)
    live = LiveJob(job, tasks, owner, max_tasks=settings.max_tasks, since=at)
    live.take(at)
    live.tell_all()
    return live


def afresh(name: str, view: JobView, owner: Owner, at: datetime) -> JobFound:
    """The ended job as it was when it was found: without its records, and the tasks that it queued itself.

    Whatever it brought as work is gone with what was written there.
    """
    tasks = tuple(_as_defined(task, at) for task in view.tasks if task.request is None)
    job = view.job.model_copy(update={"state": JobState.WAITING, "created_at": at, "updated_at": at})
    return JobFound(name=name, job=job, tasks=tasks, owner=owner, at=at, bare=True)


def _with_defaults(job: Job, tasks: tuple[Task, ...]) -> tuple[Job, tuple[Task, ...]]:
    """What the job says for all of its tasks, they say themselves from here on. Raises BadInput."""
    if job.defaults is None:
        return job, tasks
    defaults = read_defaults(job.defaults)
    filled = tuple(with_defaults(task, defaults, f"tasks[{index}]") for index, task in enumerate(tasks))
    return job.model_copy(update={"defaults": None}), filled


def _limited(job: Job, settings: Settings, at: datetime, since: Instant | None) -> Job:
    limit = policy.time_limit(job, settings, at, since)
    return job if limit is None else job.model_copy(update={"limit": limit})


def _times_until(now: datetime, job: Job) -> dict[str, datetime]:
    """What others have written of when it was: not after now, and in order."""
    created = min(job.created_at, now)
    return {"created_at": created, "updated_at": max(created, min(job.updated_at, now))}


def _until(now: datetime, task: Task) -> Task:
    """Likewise."""
    created = min(task.created_at, now)
    started = task.started_at and max(created, min(task.started_at, now))
    completed = task.completed_at and max(started or created, min(task.completed_at, now))
    return task.model_copy(update={"created_at": created, "started_at": started, "completed_at": completed})


def requested(
    fact: TaskRequested,
    job: LiveJob,
    settings: Settings,
    able: Sharing = BY_ROOT,
    host: Host = UNKNOWN_HOST,
) -> TaskRequested:
    """The request, for a task that has no more than the one which asks for it. Raises BadInput."""
    if fact.parent is None:
        _check_request(fact.spec, job, settings, host)
        policy.check_joining(fact.spec, job.users, job.runs_for, settings, able)
        return fact
    task = job.tasks.get(fact.parent.task)
    if task is None:
        raise BadInput(f"comes from task {fact.parent.task!r}, which the job does not have")
    parent = policy.Parent.of(task, fact.parent.number, job.runs_for, job.written_images, settings)
    parent = replace(parent, gpus=_in_turn(parent.gpus, fact.spec.resources.gpus, len(job.tasks)))
    spec = policy.as_parent(fact.spec, parent, job.runs_for, settings)
    _check_request(spec, job, settings, host)
    return replace(fact, spec=_as_before(policy.bounded(spec, parent, job.runs_for, settings), spec, job))


def _in_turn(has: tuple[str, ...], asked: int | tuple[str, ...] | None, tasks: int) -> tuple[str, ...]:
    """A parent's GPUs, other ones first for each task that it queues: or all that ask for one would wait for
    the same."""
    first = tasks * number_of(asked) % len(has) if has else 0
    return (*has[first:], *has[:first])


def _as_before(bounded: TaskSpec, asked: TaskSpec, job: LiveJob) -> TaskSpec:
    """With the GPUs that the task has got which is there already, where a number of them is asked for again:
    a later attempt of its parent, which may have others, asks for the same task."""
    known, number = job.tasks.get(asked.id), asked.resources.gpus
    if known is None or not isinstance(number, int) or number_of(known.resources.gpus) != number:
        return bounded
    resources = bounded.resources.model_copy(update={"gpus": known.resources.gpus})
    return bounded.model_copy(update={"resources": resources})


def _check_request(spec: TaskSpec, job: LiveJob, settings: Settings, host: Host) -> None:
    policy.check(spec, job.runs_for, settings)
    policy.check_secrets(spec, job.owner, settings)
    policy.check_host(spec, host)


def _with_attempts_over(task: Task) -> Task:
    over = tuple(attempt.model_copy(update={"phase": Phase.REMOVED}) for attempt in task.attempts)
    return task.model_copy(update={"attempts": over})


def _as_defined(task: Task, at: datetime) -> Task:
    if task.status is TaskStatus.COMPLETED and not task.attempts:
        return task  # whoever wrote the job had it passed over
    fresh = lifecycle.again(task)
    return fresh.model_copy(update={"attempts": (), "earlier": 0, "created_at": at})


def _check(tasks: Sequence[Task], owner: Owner, settings: Settings, host: Host) -> None:
    check_graph(tasks)
    policy.check_count(tasks, settings)
    for index, task in enumerate(tasks):
        task.check_command(f"tasks[{index}].")
        task.check_size(f"tasks[{index}].")
        task.check_paths(f"tasks[{index}].")
        policy.check(task, owner, settings, f"tasks[{index}].")
        policy.check_secrets(task, owner, settings, f"tasks[{index}].")
        policy.check_host(task, host, f"tasks[{index}].")


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
    ended = {"state": JobState.FAILED, "failure": failure, "requests": ()} | NOTHING_GIVEN
    times = {"created_at": min(job.created_at, folder.at), "updated_at": folder.at}
    return job.model_copy(update=ended | times)
