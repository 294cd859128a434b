"""PURE. The containers of attempts, slots, networks and probes: their names, limits and mounts.

The name of an attempt's container is a function of the home, the job's uid, the task, attempt and
incarnation, so that a manager that has lost its memory asks for the same container again and finds it.
"""

import hashlib
import re
from dataclasses import replace

from air_executor.format.models import Task
from manager.model.container_spec import (
    ATTEMPT,
    GATED,
    HOME_ID,
    HOME_PATH,
    INCARNATION,
    JOB,
    JOB_UID,
    ROLE,
    SLOT,
    TASK,
    ContainerSpec,
    Mount,
    Network,
)
from manager.model.home import CONTROL, RECEIPT, Home
from manager.model.values import AttemptKey, Owner, first_of
from manager.settings import Settings

PREFIX = "airx"
WORK = "/work"
INBOX = "/inbox"
MIB = 1 << 20

GATE_IN_IMAGE = "/usr/local/lib/air-executor/gate"
"""Where the runner image has the gate, which containers of any image get from there."""
GATE_PLACE = "/.air-executor"
"""Where a container has the gate and its two folders."""
GATE_PATIENCE = 3600
"""Seconds that a container waits at its gate before it ends: a manager that never comes back is no reason to
stay for ever."""

_NOT_IN_A_CONTAINER_NAME = re.compile(r"[^A-Za-z0-9_.-]")


def container_name(home_id: str, job: str, key: AttemptKey) -> str:
    """A name that reads well in `docker ps`, and is unique: job, task, attempt, hash."""
    identity = "\0".join((home_id, key.uid, key.task, str(key.number), str(key.incarnation)))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
    return f"{PREFIX}-{_readable(job, 64)}-{_readable(key.task, 40)}-{key.number}-{digest}"


def network_name(home_id: str, job: str, uid: str) -> str:
    """The name of the container that holds a job's network."""
    digest = hashlib.sha256(f"{home_id}\0{uid}".encode()).hexdigest()[:10]
    return f"{PREFIX}-{_readable(job, 64)}-network-{digest}"


def _readable(name: str, length: int) -> str:
    return _NOT_IN_A_CONTAINER_NAME.sub("-", name)[:length].strip("-.") or "x"


def task_user(task: Task, owner: Owner, settings: Settings) -> Owner:
    """Who the task runs as: never root."""
    if task.user is not None:
        uid, _, gid = task.user.partition(":")
        return Owner(int(uid), int(gid or uid))
    return usual_user(owner, settings)


def usual_user(owner: Owner, settings: Settings) -> Owner:
    """Who tasks run as that do not say so, in jobs whose folder is `owner`'s."""
    return owner if owner.uid else Owner(settings.task_uid, settings.task_uid)


def image_of(task: Task, settings: Settings) -> str:
    """The task's image, or the default one."""
    return task.image or settings.runner_image


def network_of(task: Task, home: Home, job: str, uid: str) -> Network:
    """The network that the task asked for; the one shared by its job's tasks by default."""
    match task.network:
        case None | "job":
            return Network("job", network_name(home.id, job, uid))
        case "private" | "none" as kind:
            return Network(kind)
        case name:
            return Network("named", name)


def task_container(
    job: str, task: Task, key: AttemptKey, folder: str, owner: Owner, home: Home, settings: Settings
) -> ContainerSpec:
    """The container of one attempt. `folder` is the job's folder as the manager sees it."""
    user = task_user(task, owner, settings)
    limits = task.resources
    memory_mb = task.attempts[-1].memory_mb if task.attempts else None
    return ContainerSpec(
        name=container_name(home.id, job, key),
        labels=_labels(job, key, home),
        image=task.attempts[-1].container.image if task.attempts else image_of(task, settings),
        command=(task.command, *task.args),
        env={"HOME": "/tmp"}
        | task.env
        | {
            "AIR_EXECUTOR_JOB": job,
            "AIR_EXECUTOR_TASK": task.id,
            "AIR_EXECUTOR_ATTEMPT": str(key.number),
            "AIR_EXECUTOR_INBOX": INBOX,
        },
        workdir=task.workdir or WORK,
        user=f"{user.uid}:{user.gid}",
        mounts=(Mount(f"{folder}/work", WORK), Mount(f"{folder}/inbox", INBOX)),
        network=network_of(task, home, job, key.uid),
        memory_bytes=(memory_mb or limits.memory_mb or settings.memory_mb) * MIB,
        cpus=limits.cpus or settings.cpus,
        pids=limits.pids or settings.pids,
        tmp_bytes=settings.tmp_mb * MIB,
        log_bytes=settings.log_mb * MIB,
    )


def slot_name(slot: str) -> str:
    """The name of a slot's container until a task has it."""
    return f"{PREFIX}-slot-{slot}"


def slot_container(slot: str, user: Owner, home: Home, settings: Settings) -> ContainerSpec:
    """A container of the default kind that waits for a task of a job that nobody knows yet."""
    folder = home.slot(first_of(slot))
    spec = ContainerSpec(
        name=slot_name(slot),
        labels={HOME_ID: home.id, HOME_PATH: str(home.path), SLOT: slot, ROLE: "slot"},
        image=settings.runner_image,
        command=("true",),
        env={"HOME": "/tmp"},
        workdir=WORK,
        user=f"{user.uid}:{user.gid}",
        mounts=(Mount(f"{folder}/work", WORK), Mount(f"{folder}/inbox", INBOX)),
        network=Network("job", slot_network_name(first_of(slot))),
        memory_bytes=settings.memory_mb * MIB,
        cpus=settings.cpus,
        pids=settings.pids,
        tmp_bytes=settings.tmp_mb * MIB,
        log_bytes=settings.log_mb * MIB,
    )
    return gated(spec, home)


def slot_network_name(slot: str) -> str:
    """The name of the container that holds the network of a slot, and of the job that got it."""
    return f"{PREFIX}-slot-{slot}-network"


def slot_network_container(slot: str, home: Home, settings: Settings) -> ContainerSpec:
    """As `network_container`, made before the job is known."""
    labels = {HOME_ID: home.id, HOME_PATH: str(home.path), SLOT: slot, ROLE: "network"}
    command = ("sleep", "infinity")
    return _helper(slot_network_name(slot), labels, command, (), Network("private"), settings)


def gated(spec: ContainerSpec, home: Home) -> ContainerSpec:
    """The container of `spec`, but that it waits at a gate until it is handed its command."""
    own = home.gate(spec.name)
    mounts = (
        Mount(str(home.gate_program), f"{GATE_PLACE}/gate", read_only=True),
        Mount(str(own.control), f"{GATE_PLACE}/{CONTROL}", read_only=True),
        Mount(str(own.receipt), f"{GATE_PLACE}/{RECEIPT}"),
    )
    folders = (f"{GATE_PLACE}/{CONTROL}", f"{GATE_PLACE}/{RECEIPT}")
    return replace(
        spec,
        labels=spec.labels | {GATED: "1"},
        command=(f"{GATE_PLACE}/gate", *folders, str(GATE_PATIENCE)),
        mounts=(*spec.mounts, *mounts),
    )


def network_container(job: str, uid: str, home: Home, settings: Settings) -> ContainerSpec:
    """The container that does nothing but hold the network that a job's tasks share."""
    labels = {HOME_ID: home.id, HOME_PATH: str(home.path), JOB: job, JOB_UID: uid, ROLE: "network"}
    name = network_name(home.id, job, uid)
    return _helper(name, labels, ("sleep", "infinity"), (), Network("private"), settings)


def gate_probe_container(folder: str, name: str, home: Home, settings: Settings) -> ContainerSpec:
    """A container that waits at a gate with `folder` mounted, to see whether that works here."""
    labels = {HOME_ID: home.id, HOME_PATH: str(home.path), ROLE: "probe"}
    return gated(_helper(name, labels, ("true",), (Mount(folder, WORK),), Network("none"), settings), home)


def probe_container(folder: str, nonce: str, home: Home, settings: Settings) -> ContainerSpec:
    """A container that ends well when the engine sees the file `nonce` in the manager's `folder`."""
    labels = {HOME_ID: home.id, HOME_PATH: str(home.path), ROLE: "probe"}
    mounts = (Mount(folder, WORK),)
    command = ("test", "-f", f"{WORK}/{nonce}")
    return _helper(f"{PREFIX}-probe-{nonce}", labels, command, mounts, Network("none"), settings)


def _helper(
    name: str,
    labels: dict[str, str],
    command: tuple[str, ...],
    mounts: tuple[Mount, ...],
    network: Network,
    settings: Settings,
) -> ContainerSpec:
    return ContainerSpec(
        name=name,
        labels=labels,
        image=settings.runner_image,
        command=command,
        env={},
        workdir="/",
        user=f"{settings.task_uid}:{settings.task_uid}",
        mounts=mounts,
        network=network,
        memory_bytes=16 * MIB,
        cpus=1.0,
        pids=16,
        tmp_bytes=MIB,
        log_bytes=MIB,
    )


def _labels(job: str, key: AttemptKey, home: Home) -> dict[str, str]:
    return {
        HOME_ID: home.id,
        HOME_PATH: str(home.path),
        JOB: job,
        JOB_UID: key.uid,
        TASK: key.task,
        ATTEMPT: str(key.number),
        INCARNATION: str(key.incarnation),
        ROLE: "task",
    }
