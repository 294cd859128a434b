"""PURE. What a task may have, and what its attempt gets, by the operator's settings: decided here alone."""

from air_executor.errors import BadInput
from air_executor.format.attempts import Attempt, Grant, GrantedNetwork
from air_executor.format.models import Task, TaskFields
from manager.core import retries
from manager.model.values import Owner
from manager.settings import Settings


def check(task: TaskFields, settings: Settings, field: str = "") -> None:
    """Whether the operator allows what the task asks for. Raises BadInput."""
    if task.network not in (None, "job", "private", "none", *settings.networks):
        allowed = ", ".join(("job", "private", "none", *settings.networks))
        raise BadInput(
            f"{task.network!r} is not allowed here; allowed are {allowed} (setting `networks`)",
            field=f"{field}network",
        )


def grant(task: Task, owner: Owner, job_network: str, settings: Settings) -> Grant:
    """What the task's next attempt gets, in a job whose folder is `owner`'s.

    `job_network` is the container that holds the network of the job's tasks, or is to.
    """
    limits = task.resources
    return Grant(
        image=task.image or settings.runner_image,
        user=str(user_of(task, owner, settings)),
        network=_network(task, job_network),
        memory_mb=retries.memory_mb(task, settings.memory_mb, settings.retry_memory_mb),
        cpus=limits.cpus or settings.cpus,
        pids=limits.pids or settings.pids,
        tmp_mb=settings.tmp_mb,
        log_mb=settings.log_mb,
        timeout=task.timeout or settings.timeout,
        file_mb=settings.job_disk_mb,
    )


def usual_grant(user: Owner, job_network: str, settings: Settings) -> Grant:
    """What an attempt gets whose task asks for nothing of its own."""
    return grant(Task(id="any", command="any"), user, job_network, settings)


def with_grant(task: Task, owner: Owner, job_network: str, settings: Settings) -> Task:
    """The task, as a journal told of it; an attempt that may have a container has a grant.

    One that an older manager claimed has none: it has what it was claimed with, and the rest by the settings
    of today, as that manager would have done.
    """
    attempt = task.attempt
    if attempt is None or not attempt.live or attempt.grant is not None:
        return task
    completed = attempt.model_copy(update={"grant": _completed(task, attempt, owner, job_network, settings)})
    return task.model_copy(update={"attempts": (*task.attempts[:-1], completed)})


def _completed(task: Task, attempt: Attempt, owner: Owner, job_network: str, settings: Settings) -> Grant:
    before = attempt.model_extra or {}
    told = {name: before[name] for name in ("timeout", "memory_mb") if before.get(name)}
    today = grant(task, owner, job_network, settings)
    return today.model_copy(update={"image": attempt.container.image, **told})


def user_of(task: Task, owner: Owner, settings: Settings) -> Owner:
    """Who the task runs as: never root."""
    if task.user is not None:
        return Owner.parse(task.user)
    return usual_user(owner, settings)


def usual_user(owner: Owner, settings: Settings) -> Owner:
    """Who tasks run as that do not say so, in jobs whose folder is `owner`'s."""
    return owner if owner.uid else Owner(settings.task_uid, settings.task_uid)


def is_usual(task: Task, settings: Settings) -> bool:
    """Whether the task gets what any task gets that asks for nothing of its own; whoever it runs as."""
    usual = task.image in (None, settings.runner_image) and task.network in (None, "job")
    return usual and task.workdir is None and not any(value for _, value in task.resources)


def _network(task: Task, job_network: str) -> GrantedNetwork:
    match task.network:
        case None | "job":
            return GrantedNetwork(kind="job", name=job_network)
        case "private" | "none" as kind:
            return GrantedNetwork(kind=kind)
        case name:
            return GrantedNetwork(kind="named", name=name)
