"""PURE. What an attempt gets."""

from air_executor.format import images
from air_executor.format.attempts import Attempt, Grant, GrantedNetwork
from air_executor.format.models import Task
from air_executor.policy.users import user_of
from manager.core import retries
from manager.core.policy import image_use, mounts, scratch
from manager.core.policy.devices import runtime_of
from manager.core.policy.host_names import granted_names
from manager.core.policy.memory import usual_memory
from manager.core.policy.ulimits import granted_ulimits
from manager.model.container_spec import SHM_MB
from manager.model.containers import SECRETS_KB
from manager.model.values import Owner
from manager.settings import FIRST_OF_PEOPLE, Settings

NOT_OF_THE_CONTAINER = {
    "timeout",
    "pull",
    "result_kb",
    "outputs_mb",
    "stop_grace",
    "secrets",
    "secret_env",
}
"""What an attempt gets beside its container."""
ANYBODY = Owner(FIRST_OF_PEOPLE, FIRST_OF_PEOPLE)


def grant(task: Task, owner: Owner, job_network: str, settings: Settings) -> Grant:
    """What the task's next attempt gets, in a job whose folder is `owner`'s.

    `job_network` is the container that holds the network of the job's tasks, or is to.
    """
    limits, user = task.resources, user_of(task, owner, settings)
    memory_mb = retries.memory_mb(task, usual_memory(settings), settings.retry_memory_mb)
    return Grant(
        image=task.image or settings.runner_image,
        user=str(user),
        network=_network(task, job_network, settings),
        pull=may_pull(task),
        memory_mb=min(memory_mb, settings.max_memory_mb),
        cpus=min(limits.cpus or settings.cpus, settings.max_cpus),
        pids=min(limits.pids or settings.pids, settings.max_pids),
        tmp_mb=settings.tmp_mb if limits.tmp_mb is None else min(limits.tmp_mb, settings.max_memory_mb),
        log_mb=settings.log_mb,
        timeout=min(task.timeout or settings.timeout, settings.max_timeout),
        file_mb=settings.job_disk_mb,
        result_kb=settings.result_kb or None,
        outputs_mb=settings.outputs_mb if task.outputs else None,
        stop_grace=image_use.stop_grace(task, settings),
        mounts=mounts.granted(task, user, settings),
        scratch=scratch.granted(task, settings),
        shm_mb=_shm_mb(task, settings),
        ulimits=granted_ulimits(task, settings),
        names=granted_names(task),
        runtime=runtime_of(task),
        secrets_kb=SECRETS_KB,
    )


def may_pull(task: Task) -> bool:
    """Whether its image may be fetched where it is missing: not for what a task has queued."""
    return image_use.may_pull(task, task.parent is not None)


def must_ask(task: Task) -> bool:
    """Whether its registry is asked first, although the image is here."""
    return image_use.must_ask(task, task.parent is not None)


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
    if task.resources.gpus is not None:  # which it gets, its claim decides
        return False
    own = grant(task, ANYBODY, "", settings)
    usual = usual_grant(Owner.parse(own.user), "", settings)
    return images.is_same(own.image, usual.image) and _form(own) == _form(usual)


def _form(grant: Grant) -> dict[str, object]:
    """All that its container is built from, but the image."""
    return grant.model_dump(exclude=NOT_OF_THE_CONTAINER | {"image"})


def _shm_mb(task: Task, settings: Settings) -> int | None:
    """None where that is what every container has."""
    asked = task.resources.shm_mb
    size = None if asked is None else min(asked, settings.max_memory_mb)
    return None if size == SHM_MB else size


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
