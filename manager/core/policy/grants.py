"""PURE. What an attempt gets."""

from air_executor.format import images
from air_executor.format.attempts import Attempt, Grant, GrantedNetwork
from air_executor.format.models import Task
from manager.core import retries
from manager.core.policy.users import user_of
from manager.model.containers import SECRETS_KB
from manager.model.values import Owner
from manager.settings import FIRST_OF_PEOPLE, Settings

NOT_OF_THE_CONTAINER = {"timeout", "pull", "secrets", "secret_env"}
"""What an attempt gets beside its container."""
ANYBODY = Owner(FIRST_OF_PEOPLE, FIRST_OF_PEOPLE)


def grant(task: Task, owner: Owner, job_network: str, settings: Settings) -> Grant:
    """What the task's next attempt gets, in a job whose folder is `owner`'s.

    `job_network` is the container that holds the network of the job's tasks, or is to.
    """
    limits = task.resources
    memory_mb = retries.memory_mb(task, settings.memory_mb, settings.retry_memory_mb)
    return Grant(
        image=task.image or settings.runner_image,
        user=str(user_of(task, owner, settings)),
        network=_network(task, job_network, settings),
        pull=may_pull(task),
        memory_mb=min(memory_mb, settings.max_memory_mb),
        cpus=min(limits.cpus or settings.cpus, settings.max_cpus),
        pids=min(limits.pids or settings.pids, settings.max_pids),
        tmp_mb=settings.tmp_mb,
        log_mb=settings.log_mb,
        timeout=min(task.timeout or settings.timeout, settings.max_timeout),
        file_mb=settings.job_disk_mb,
        secrets_kb=SECRETS_KB,
    )


def may_pull(task: Task) -> bool:
    """Whether its image may be fetched where it is missing: not for what a task has queued."""
    return task.parent is None


def usual_grant(user: Owner, job_network: str, settings: Settings) -> Grant:
    """What an attempt of `user`'s gets whose task asks for nothing of its own; who may be a listed one."""
    usual = grant(Task(id="any", command="any"), user, job_network, settings)
    return usual.model_copy(update={"user": str(user)})


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


def is_usual(task: Task, settings: Settings) -> bool:
    """Whether the task's next attempt gets a container as any does whose task asks for nothing of its own.

    Whoever it runs as, and in whatever words it asks for the same.
    """
    own = grant(task, ANYBODY, "", settings)
    usual = usual_grant(Owner.parse(own.user), "", settings)
    return images.is_same(own.image, usual.image) and _form(own) == _form(usual)


def _form(grant: Grant) -> dict[str, object]:
    """All that its container is built from, but the image."""
    return grant.model_dump(exclude=NOT_OF_THE_CONTAINER | {"image"})


def _network(task: Task, job_network: str, settings: Settings) -> GrantedNetwork:
    match task.network:
        case None | "job":
            return GrantedNetwork(kind="job", name=job_network)
        case "private" as kind:
            return GrantedNetwork(kind=kind)
        case name if name in settings.networks:
            return GrantedNetwork(kind="named", name=name)
        case _:  # or one that is not allowed any more
            return GrantedNetwork(kind="none")
