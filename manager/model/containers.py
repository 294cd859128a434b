"""PURE. The containers that an engine is asked for, built from records alone: their form, and no choice.

The name of an attempt's container is decided at its claim, by `container_name`; that of a container which
takes the place of another, by `successor`. Both stand in the journal, and are not worked out again: so a
manager that has lost its memory, or names containers by another rule, asks for the same one and finds it.
"""

import hashlib
import posixpath
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from air_executor.format import layout
from air_executor.format.attempts import Grant
from air_executor.format.models import Task
from manager.model.container_spec import (
    ATTEMPT,
    GATED,
    GUARD,
    HOME_ID,
    HOME_PATH,
    INCARNATION,
    JOB,
    JOB_UID,
    ROLE,
    TASK,
    WARM,
    ContainerSpec,
    Declared,
    InMemory,
    Mount,
    Network,
)
from manager.model.home import CONTROL, RECEIPT, Home
from manager.model.host_names import HostNames
from manager.model.values import AttemptKey, Guard, Owner, first_of
from manager.settings import Settings

PREFIX = "airx"
WORK = "/work"
INBOX = "/inbox"
MIB = 1 << 20

GATE_IN_IMAGE = "/usr/local/lib/air-executor/gate"
"""Where the runner image has the gate, which containers of any image get from there."""
GATE_PLACE = "/.air-executor"
"""Where a container has the gate and its two folders."""
OWN_PLACES = (WORK, INBOX, GATE_PLACE)
"""Where a task's container has folders of the home."""
SECRETS_KB = 1024
"""Size of the folder in memory where a gate puts secrets: so much a file system takes for the files that one
task may have, each in whole pages."""
GATE_PATIENCE = 3600
"""Seconds that a container waits at its gate before it ends: a manager that never comes back is no reason to
stay for ever."""

NETGUARD_IN_IMAGE = "/usr/local/lib/air-executor/netguard"
"""Where the runner image has the program that shuts the network which it holds."""
GUARDED = b"guarded\n"
"""What that says when it has: before, no task may join."""
NETGUARD_POWERS = ("NET_ADMIN", "SETGID", "SETUID")
"""What it needs for that, and lays down before it says so."""
NETGUARD_PATIENCE = 7 * 24 * 3600
"""Seconds for which it stays without a sign of a manager: so long, tasks may run without one."""
ADDRESSES = ("cat", "/proc/net/fib_trie", "/proc/net/if_inet6")
"""Prints the addresses of the host whose network it has."""

_NOT_IN_A_CONTAINER_NAME = re.compile(r"[^A-Za-z0-9_.-]")
_SUCCESSOR = re.compile(r"(.*)\.(\d+)")


# --- Names ----------------------------------------------------------------------------------------------


def container_name(home_id: str, job: str, key: AttemptKey) -> str:
    """A name that reads well in `docker ps`, and is unique: job, task, attempt, hash."""
    identity = "\0".join((home_id, key.uid, key.task, str(key.number), str(key.incarnation)))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
    return f"{PREFIX}-{_readable(job, 64)}-{_readable(key.task, 40)}-{key.number}-{digest}"


def successor(name: str) -> str:
    """The name of the container that takes the place of the one called `name`, which provably never began."""
    before = _SUCCESSOR.fullmatch(name)
    return f"{before[1]}.{int(before[2]) + 1}" if before else f"{name}.2"


def work_name(job: str, uid: str) -> str:
    """The name of the folder that a job's containers mount as `/work`, where none was made before the job."""
    return f"{job}~{uid[:12]}"


def network_name(home_id: str, job: str, uid: str) -> str:
    """The name of the container that holds a job's network."""
    digest = hashlib.sha256(f"{home_id}\0{uid}".encode()).hexdigest()[:10]
    return f"{PREFIX}-{_readable(job, 64)}-network-{digest}"


def warm_name(identity: str) -> str:
    """The name of a warm container: one that no other has, as long as none has its identity."""
    return f"{PREFIX}-warm-{identity}"


def warm_network_name(warm: str) -> str:
    """The name of what holds the network of a warm container and its spare, and of the job that gets them."""
    return f"{first_of(warm)}-network"


def private_network_name(container: str) -> str:
    """The name of what holds the network that the container of one attempt has to itself."""
    return f"{container}-network"


def accounts_name(nonce: str) -> str:
    """The name of a container that is made to read which accounts its image has."""
    return f"{PREFIX}-accounts-{nonce}"


def _readable(name: str, length: int) -> str:
    return _NOT_IN_A_CONTAINER_NAME.sub("-", name)[:length].strip("-.") or "x"


# --- Those of tasks -------------------------------------------------------------------------------------


def task_container(
    job: str, task: Task, key: AttemptKey, name: str, grant: Grant, work: Path, home: Home
) -> ContainerSpec:
    """The container of one attempt. `work` is the job's work folder as the manager sees it."""
    labels = _labels(home, "task") | {
        JOB: job,
        JOB_UID: key.uid,
        TASK: key.task,
        ATTEMPT: str(key.number),
        INCARNATION: str(key.incarnation),
    }
    env = {
        "AIR_EXECUTOR_JOB": job,
        "AIR_EXECUTOR_TASK": task.id,
        "AIR_EXECUTOR_ATTEMPT": str(key.number),
        "AIR_EXECUTOR_INBOX": INBOX,
    }
    spec = _granted(name, labels, grant, work, home)
    return replace(
        spec,
        command=task.words,
        runs_the_images=task.runs_the_images,
        env=spec.env | task.env | env | _for_results(grant),
        workdir=workdir_of(task),
    )


def _for_results(grant: Grant) -> dict[str, str]:
    """Where a command finds results, and leaves its own; nothing of an older manager's takes any."""
    if grant.result_kb is None:
        return {}
    return {
        "AIR_EXECUTOR_RESULT": f"{INBOX}/{layout.RESULT}/{layout.RESULT_FILE}",
        "AIR_EXECUTOR_RESULTS": f"{INBOX}/{layout.RESULTS}",
    }


def workdir_of(task: Task) -> str:
    """Where its command begins, without detours (`//`, `..`), as container runtimes read such a path."""
    return f"/{posixpath.normpath(task.workdir or WORK).lstrip('/')}"


def in_work(workdir: str) -> tuple[str, ...] | None:
    """The way from the work folder to a working directory that is in it; None for one that is elsewhere."""
    way = PurePosixPath(workdir)
    if ".." in way.parts or not way.is_relative_to(WORK):
        return None
    return way.relative_to(WORK).parts


def warm_container(name: str, grant: Grant, home: Home) -> ContainerSpec:
    """A container that waits for a task of a job that nobody knows yet."""
    labels = _labels(home, "warm") | {WARM: name}
    return gated(_granted(name, labels, grant, home.work(first_of(name)), home), home)


def gated(spec: ContainerSpec, home: Home) -> ContainerSpec:
    """The container of `spec`, but that it waits at a gate until it is handed its command.

    The gate goes to the task's working directory, which may not be there before its turn.
    """
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
        runs_the_images=False,
        workdir=WORK,
        mounts=(*spec.mounts, *mounts),
    )


def _granted(name: str, labels: dict[str, str], grant: Grant, work: Path, home: Home) -> ContainerSpec:
    """With its job's work folder and an inbox of its own; what it runs, if anything, is still to be said."""
    return ContainerSpec(
        name=name,
        labels=labels,
        image=grant.image,
        command=("true",),
        env={"HOME": "/tmp"},
        workdir=WORK,
        user=grant.user,
        mounts=(
            Mount(str(work), WORK),
            Mount(str(home.gate(name).inbox), INBOX),
            *own_folders(name, grant, home),
        ),
        network=Network(grant.network.kind, grant.network.name),
        memory_bytes=grant.memory_mb * MIB,
        cpus=grant.cpus,
        pids=grant.pids,
        tmp_bytes=grant.tmp_mb * MIB,
        log_bytes=grant.log_mb * MIB,
        pull=grant.pull,
        file_bytes=None if grant.file_mb is None else grant.file_mb * MIB,
        declared=tuple(
            Declared(each.name, each.kind, each.source, each.place, each.read_only)
            for each in grant.mounts
            if each.kind != "cache"
        ),
        in_memory=tuple(
            InMemory(each.place, each.size_mb * MIB) for each in grant.scratch if each.on == "memory"
        ),
        shm_bytes=None if grant.shm_mb is None else grant.shm_mb * MIB,
        gpus=grant.gpus,
        ulimits=tuple((limit, soft, hard) for limit, (soft, hard) in sorted(grant.ulimits.items())),
        names=None if grant.names is None else HostNames.of(grant.names),
        runtime=grant.runtime,
        secrets_bytes=None if grant.secrets_kb is None else grant.secrets_kb << 10,
    )


def own_folders(name: str, grant: Grant, home: Home) -> tuple[Mount, ...]:
    """Folders of the home that the container called `name` has beside the usual: scratch, and caches."""
    uid = Owner.parse(grant.user).uid
    scratch = (
        Mount(str(home.gate(name).scratch(number)), each.place)
        for number, each in enumerate(grant.scratch)
        if each.on == "disk"
    )
    caches = (
        Mount(str(home.cache(each.name, uid)), each.place, each.read_only)
        for each in grant.mounts
        if each.kind == "cache"
    )
    return (*scratch, *caches)


# --- Helpers --------------------------------------------------------------------------------------------


def network_container(name: str, job: str, uid: str, home: Home, settings: Settings) -> ContainerSpec:
    """The container that does nothing but hold the network that a job's tasks share."""
    labels = _labels(home, "network") | {JOB: job, JOB_UID: uid}
    return _helper(name, labels, ("sleep", "infinity"), (), Network("private"), settings)


def warm_network_container(warm: str, home: Home, settings: Settings) -> ContainerSpec:
    """As `network_container`, made before the job is known."""
    labels = _labels(home, "network") | {WARM: first_of(warm)}
    return _helper(warm_network_name(warm), labels, ("sleep", "infinity"), (), Network("private"), settings)


def private_network_container(task: ContainerSpec, home: Home, settings: Settings) -> ContainerSpec:
    """As `network_container`, for the container of one attempt alone; it goes when that goes.

    A container has the name of the one whose network it joins.
    """
    labels = task.labels | _labels(home, "network")
    name = private_network_name(task.name)
    spec = _helper(name, labels, ("sleep", "infinity"), (), Network("private"), settings)
    hostname = "" if task.names is None else task.names.hostname
    return replace(spec, names=HostNames(hostname=hostname)) if hostname else spec


def guarded(spec: ContainerSpec, guard: Guard | None, settings: Settings) -> ContainerSpec:
    """What holds the network as `spec` does, and shuts it before; as it stands where that can't be done.

    It begins as root of its own container, which has nothing else in it, and goes on as nobody in particular.
    """
    if guard is None:
        return spec
    return replace(
        spec,
        labels=spec.labels | {GUARD: guard.settings},
        command=(NETGUARD_IN_IMAGE, str(settings.task_uid), str(NETGUARD_PATIENCE), *guard.rules),
        user="0:0",
        capabilities=NETGUARD_POWERS,
    )


def guard_probe_container(name: str, guard: Guard, home: Home, settings: Settings) -> ContainerSpec:
    """A container that shuts its own network, to see whether that works here."""
    spec = _helper(name, _labels(home, "probe"), ("true",), (), Network("private"), settings)
    return guarded(spec, guard, settings)


def addresses_container(name: str, home: Home, settings: Settings) -> ContainerSpec:
    """A container that prints the addresses of the engine's host."""
    return _helper(name, _labels(home, "probe"), ADDRESSES, (), Network("host"), settings)


def gate_probe_container(folder: Path, name: str, home: Home, settings: Settings) -> ContainerSpec:
    """A container that waits at a gate with `folder` mounted, to see whether that works here."""
    mounts = (Mount(str(folder), WORK),)
    helper = _helper(name, _labels(home, "probe"), ("true",), mounts, Network("none"), settings)
    return gated(replace(helper, secrets_bytes=SECRETS_KB << 10), home)


def probe_container(folder: Path, nonce: str, home: Home, settings: Settings) -> ContainerSpec:
    """A container that ends well when the engine sees the file `nonce` in the manager's `folder`."""
    mounts, command = (Mount(str(folder), WORK),), ("test", "-f", f"{WORK}/{nonce}")
    name = f"{PREFIX}-probe-{nonce}"
    return _helper(name, _labels(home, "probe"), command, mounts, Network("none"), settings)


def never_started(spec: ContainerSpec, image_id: str, name: str) -> ContainerSpec:
    """A container with the files of the image that `spec` is made from, and nothing else."""
    return replace(
        spec,
        name=name,
        labels=_labels(home_of(spec), "probe"),
        image=image_id,
        command=("true",),
        runs_the_images=False,
        env={},
        workdir="/",
        mounts=(),
        network=Network("none"),
        pull=False,
        declared=(),
        in_memory=(),
        gpus=(),
        ulimits=(),
        names=None,
        runtime=None,
    )


def home_of(spec: ContainerSpec) -> Home:
    """The home that it belongs to."""
    return Home(spec.labels[HOME_ID], Path(spec.labels[HOME_PATH]))


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


def _labels(home: Home, role: str) -> dict[str, str]:
    return {HOME_ID: home.id, HOME_PATH: str(home.path), ROLE: role}
