"""PURE. What a task may have that another task queues: no more than that one has, in anything.

What the child does not say is written into it where the default would be more: so its record shows it.
"""

from dataclasses import dataclass
from typing import TypeVar

from air_executor.errors import BadInput
from air_executor.format.models import DEFAULT_RETRIES, Resources, RetryPolicy, Task, TaskSpec
from air_executor.policy import images, users
from air_executor.policy.scratch import Room
from manager.core.policy import devices, grants, image_use, mounts, scratch, secrets
from manager.core.policy.memory import usual_memory
from manager.core.policy.refusals import more_than_parent
from manager.core.policy.ulimits import Limits, bounded_ulimits
from manager.model.container_spec import SHM_MB
from manager.model.values import Owner
from manager.settings import Settings

Number = TypeVar("Number", int, float)

BELOW = {"job": ("job", "private", "none"), "private": ("private", "none"), "none": ("none",)}
"""Which networks are no more than one; of one that the operator allows, that itself and none."""


@dataclass(frozen=True, slots=True)
class Parent:
    """A task that queues others, as the attempt is that asks for it."""

    id: str
    user: Owner
    network: str
    images: frozenset[str]
    """Those that its children may have, whatever the operator's patterns say."""
    memory_mb: int
    first_memory_mb: int
    """Without what it got because an attempt before had too little."""
    cpus: float
    pids: int
    timeout: float
    retries: int
    stop_grace: float
    mounts: dict[str, bool]
    """By name, and whether only to be read."""
    scratch: Room
    tmp_mb: int
    shm_mb: int
    gpus: tuple[str, ...]
    ulimits: Limits
    runtime: str | None
    secrets: frozenset[str] = frozenset()
    """The names of those that it has, as files or in variables."""

    @classmethod
    def of(
        cls, task: Task, number: int, owner: Owner, written_images: frozenset[str], settings: Settings
    ) -> "Parent":
        """By the grant of the task's attempt with this number; by the settings of today, where it has none.

        `written_images`: those of the tasks that the job was written with.
        """
        first = grants.grant(task.model_copy(update={"attempts": ()}), owner, "", settings)
        found = next((each.grant for each in task.attempts if each.number == number and each.grant), first)
        return cls(
            id=task.id,
            user=Owner.parse(found.user),
            network=found.network.name if found.network.kind == "named" else found.network.kind,
            images=written_images | {found.image, settings.runner_image},
            memory_mb=found.memory_mb,
            first_memory_mb=min(first.memory_mb, found.memory_mb),
            cpus=found.cpus,
            pids=found.pids,
            timeout=found.timeout,
            retries=task.policy.max,
            stop_grace=settings.cancel_grace if found.stop_grace is None else found.stop_grace,
            mounts={each.name: each.read_only for each in found.mounts if each.kind != "withdrawn"},
            scratch=Room.of(found.scratch),
            tmp_mb=found.tmp_mb,
            shm_mb=found.shm_mb or SHM_MB,
            gpus=found.gpus,
            ulimits=found.ulimits,
            runtime=found.runtime,
            secrets=secrets.granted(found),
        )


def as_parent(spec: TaskSpec, parent: Parent, owner: Owner, settings: Settings) -> TaskSpec:
    """The task, with the user that it runs as. Raises BadInput where it asks for another."""
    return spec.model_copy(update={"user": _user(spec, parent, owner, settings)})


def bounded(spec: TaskSpec, parent: Parent, owner: Owner, settings: Settings) -> TaskSpec:
    """The task, with no more than its parent has. Raises BadInput where it asks for more.

    It is one that may be asked for from outside: `as_parent` and `checks.check` come before.
    """
    _check_image(spec.image, parent, settings)
    image_use.bounded_pull(spec.pull, parent.id)
    grace = _at_most(spec.stop_grace, settings.cancel_grace, parent.stop_grace, "stop_grace", parent)
    scratch.check_bounded(spec, parent.id, parent.scratch)
    secrets.check_below(spec, parent.id, parent.secrets)
    limits = Resources(
        memory_mb=_memory(spec, parent, settings),
        cpus=_at_most(spec.resources.cpus, settings.cpus, parent.cpus, "resources.cpus", parent),
        pids=_at_most(spec.resources.pids, settings.pids, parent.pids, "resources.pids", parent),
        tmp_mb=_at_most(spec.resources.tmp_mb, settings.tmp_mb, parent.tmp_mb, "resources.tmp_mb", parent),
        shm_mb=_at_most(spec.resources.shm_mb, SHM_MB, parent.shm_mb, "resources.shm_mb", parent),
        gpus=devices.bounded_gpus(spec.resources.gpus, parent.gpus, parent.id),
    )
    return spec.model_copy(
        update={
            "user": _user(spec, parent, owner, settings),
            "network": _network(spec.network, parent),
            "timeout": _at_most(spec.timeout, settings.timeout, parent.timeout, "timeout", parent),
            "retries": _retries(spec.retries, parent),
            "resources": limits,
            "stop_grace": grace,
            "mounts": mounts.bounded(spec, parent.id, parent.mounts),
            "ulimits": bounded_ulimits(spec.ulimits, parent.ulimits, parent.id, settings),
            "runtime": devices.bounded_runtime(spec.runtime, parent.runtime, parent.id),
        }
    )


def _at_most(asked: Number | None, usual: Number, most: Number, field: str, parent: Parent) -> Number | None:
    if asked is None:
        return None if usual <= most else most
    if asked > most:
        raise more_than_parent(f"{asked:.10g}", f"{most:.10g}", field, parent.id)
    return asked


def _memory(spec: TaskSpec, parent: Parent, settings: Settings) -> int | None:
    asked = spec.resources.memory_mb
    most = parent.first_memory_mb if asked is None else parent.memory_mb
    return _at_most(asked, usual_memory(settings), most, "resources.memory_mb", parent)


def _user(spec: TaskSpec, parent: Parent, owner: Owner, settings: Settings) -> str | None:
    if spec.user is None:
        return None if users.usual_user(owner, settings) == parent.user else str(parent.user)
    if users.user_of(spec, owner, settings) != parent.user:
        raise BadInput(
            f"{spec.user!r} is not who task {parent.id!r} runs as, which asks for it: {parent.user}; "
            "a task runs as the one that queues it",
            field="user",
        )
    return spec.user


def _network(asked: str | None, parent: Parent) -> str | None:
    if asked is None:
        return None if parent.network == "job" else parent.network
    if asked not in BELOW.get(parent.network, (parent.network, "none")):
        raise more_than_parent(repr(asked), parent.network, "network", parent.id)
    return asked


def _retries(asked: RetryPolicy | None, parent: Parent) -> RetryPolicy | None:
    if asked is None:
        fewer = min(DEFAULT_RETRIES.max, parent.retries)
        return None if fewer == DEFAULT_RETRIES.max else DEFAULT_RETRIES.model_copy(update={"max": fewer})
    _at_most(asked.max, asked.max, parent.retries, "retries", parent)
    if asked.memory_factor == 1:
        return asked
    if asked.memory_max_mb is not None and asked.memory_max_mb > parent.memory_mb:
        asks, has = f"{asked.memory_max_mb}", f"{parent.memory_mb}"
        raise more_than_parent(asks, has, "retries.memory_max_mb", parent.id)
    return asked.model_copy(update={"memory_max_mb": asked.memory_max_mb or parent.first_memory_mb})


def _check_image(image: str | None, parent: Parent, settings: Settings) -> None:
    if image is None or image in parent.images or images.matches(image, settings.queued_images):
        return
    raise BadInput(
        f"{image[: images.SHOWN]!r} may not be asked for by task {parent.id!r}: allowed are its own image, "
        "runner_image, those of tasks that the job was written with, and what the operator lists (setting "
        "`queued_images`)",
        field="image",
    )
