"""PURE. What an engine is asked for, in the manager's words, and the labels by which it is found again."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

from manager.model.host_names import HostNames
from manager.model.values import AttemptKey

LABEL = "air-executor"
HOME_ID = f"{LABEL}.home-id"
HOME_PATH = f"{LABEL}.home"
JOB = f"{LABEL}.job"
JOB_UID = f"{LABEL}.job-uid"
TASK = f"{LABEL}.task"
ATTEMPT = f"{LABEL}.attempt"
INCARNATION = f"{LABEL}.incarnation"
ROLE = f"{LABEL}.role"
DIGEST = f"{LABEL}.spec"
WARM = f"{LABEL}.warm"
"""The name of the warm container that it is, or whose network it holds."""
OLD_WARM = f"{LABEL}.slot"
OLD_WARM_PREFIX = "airx-slot-"
"""How warm containers were labelled and named when they were called slots; journals may tell of some."""
GUARD = f"{LABEL}.guard"
"""By which settings the network that it holds was shut; there is none where it was not."""
ACCOUNTS = f"{LABEL}.accounts"
"""The name of the folder with the accounts that are mounted in it, where it has some of its own."""
NAMES = f"{LABEL}.names"
"""The name of the folder with what it knows of hosts, where it has files of its own for that."""
GATED = f"{LABEL}.gated"
"""Says that the first process is the gate, and not the task's command."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder, by the path that the manager sees, and where the container sees it."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """`job`: the namespace of the container named `name`; `named`: the engine's network of that name.

    `host`, the engine's own, is for looking at its addresses: no task may ask for it.
    """

    kind: Literal["job", "private", "none", "named", "host"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """What of the engine's host, or of the engine, its operator has declared to be mounted."""

    name: str
    kind: Literal["path", "volume", "withdrawn"]
    """`withdrawn`: not any more; no container can be made with it."""
    source: str
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class InMemory:
    """A file system in memory, which belongs to the container's user."""

    target: str
    bytes: int


SHM_MB = 64
"""Size of /dev/shm where nothing is said: Docker's default. What is in it counts as the task's memory."""

NEWER = (
    "capabilities",
    "file_bytes",
    "runs_the_images",
    "declared",
    "in_memory",
    "shm_bytes",
    "gpus",
    "ulimits",
    "names",
    "runtime",
    "secrets_bytes",
)
"""Words that containers of older managers were not asked for with."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container, in the manager's words."""

    name: str
    labels: dict[str, str]
    image: str
    command: tuple[str, ...]
    env: dict[str, str]
    workdir: str
    user: str
    mounts: tuple[Mount, ...]
    network: Network
    memory_bytes: int
    cpus: float
    pids: int
    tmp_bytes: int
    log_bytes: int
    pull: bool = True
    """Whether its image may be asked of a registry where it is missing."""
    capabilities: tuple[str, ...] = ()
    """Those that its first process begins with; that of a task has none."""
    file_bytes: int | None = None
    """Size that a file may get which a process of it writes, where that is bounded."""
    runs_the_images: bool = False
    """Whether the image's entry point comes before `command`, and its command where that is empty."""
    declared: tuple[Declared, ...] = ()
    in_memory: tuple[InMemory, ...] = ()
    shm_bytes: int | None = None
    """Size of /dev/shm, where it is not SHM_MB."""
    gpus: tuple[str, ...] = ()
    """Ids of the host's GPUs that it has."""
    ulimits: tuple[tuple[str, int, int], ...] = ()
    """Limits of each process, soft and hard, in place of the usual ones."""
    names: HostNames | None = None
    """What it knows of hosts, beside what every container does."""
    runtime: str | None = None
    """What runs it; None: the engine's usual one."""
    secrets_bytes: int | None = None
    """Size of the folder in memory for its user's secrets, where it has one."""

    @property
    def places(self) -> tuple[str, ...]:
        """Where folders are mounted that are not its image's, nor in memory."""
        own = (mount.target for mount in self.mounts)
        return (*own, *(each.target for each in self.declared))

    @property
    def digest(self) -> str:
        """Equal for containers that are asked for in the same words, wherever their image comes from.

        What older managers did not say, is left out where it says nothing.
        """
        words = asdict(self)
        for name in ("pull", *(name for name in NEWER if not words[name])):
            del words[name]
        return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:16]


def key_of(labels: dict[str, str]) -> AttemptKey | None:
    """Which attempt a container says that it serves, or None when its labels are not a task's."""
    try:
        return AttemptKey(labels[JOB_UID], labels[TASK], int(labels[ATTEMPT]), int(labels[INCARNATION]))
    except (KeyError, ValueError):
        return None


def warm_of(labels: dict[str, str]) -> str | None:
    """Which warm container it is, or holds the network of, where it is or does so."""
    old = labels.get(OLD_WARM)
    return labels.get(WARM) if old is None else f"{OLD_WARM_PREFIX}{old}"
