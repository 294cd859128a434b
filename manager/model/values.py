"""PURE. What facts and actions are about: the small frozen values that name and describe things."""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from air_executor.format.users import Owner as Owner
from manager.model.delivery import NOTHING, Delivery
from manager.model.image_facts import ImageFacts


class AttemptKey(NamedTuple):
    """One container's place: which job (by the manager's uid), task, attempt, and incarnation of it."""

    uid: str
    task: str
    number: int
    incarnation: int


@dataclass(frozen=True, slots=True)
class ExitResult:
    """How a container ended, as the engine's inspection tells it."""

    exit_code: int
    oom_killed: bool
    started_at: datetime
    finished_at: datetime
    unusable_command: str | None = None
    """Why the command could not be executed at all, where that is what happened."""
    interrupted: bool = False
    """Whether the engine, or the whole machine, went away before it ended."""
    signalled: bool | None = None
    """Whether a signal ended the command, by its gate's word; None where nobody knows but by the code."""
    delivery: Delivery = NOTHING
    """What the command hands over, where it has succeeded."""


SPARE = "-spare"


@dataclass(frozen=True, slots=True)
class WarmOrder:
    """A warm container that is to be made, with its spare, and who their tasks will run as."""

    name: str
    user: Owner


@dataclass(frozen=True, slots=True)
class WarmContainer:
    """A container that waits at its gate for a task that nobody knows yet.

    Its name stays with its folders and its network; in the engine it has its task's, once it has one.
    """

    name: str
    user: Owner
    container_id: str
    image_id: str
    created_at: datetime
    container_started_at: datetime
    of_image: ImageFacts | None = None
    """What its image says of itself, where that is known."""
    spare: "WarmContainer | None" = None
    """Another one, in the same folders and network, for the task that comes next in the job."""


class ImageOrder(NamedTuple):
    """An image that is to be fetched; the number tells this from any other time that it is."""

    image: str
    number: int
    renew: bool = False
    """Whether its registry is asked although the image may be here."""


def spare_of(warm: str) -> str:
    """The name of the spare of the warm container with this name."""
    return f"{warm}{SPARE}"


def is_spare(warm: str) -> bool:
    """Whether the warm container with this name is the spare of another."""
    return warm.endswith(SPARE)


def first_of(warm: str) -> str:
    """The name of the one whose folders and network this one has: its own, unless it is a spare."""
    return warm.removesuffix(SPARE)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What can be done with an engine on a host: None where it can, else why not, in words."""

    gates: str | None
    """That containers wait at gates for their tasks' turn."""
    warm: str | None
    """That such a container waits for a job nobody knows yet, which takes its folders over."""
    secrets: str | None = None
    """That gates hand over secrets."""

    @classmethod
    def without_gates(cls, why: str) -> "Capabilities":
        """A container that waits for a job waits at a gate, too, and gets secrets by it: so that can't be
        done either."""
        return cls(gates=why, warm=why, secrets=why)


@dataclass(frozen=True, slots=True)
class Guard:
    """What the tasks of one network may send to."""

    rules: tuple[str, ...]
    """In the words of `netguard`; the first that fits decides, and to what none fits nothing is sent."""
    settings: str
    """Equal for guards that the same settings called for, whatever addresses the host has."""


@dataclass(frozen=True, slots=True)
class Host:
    """How much there is on the host that containers are made on."""

    cpus: float
    memory_mb: int | None = None
    """None where nobody has said so."""


UNKNOWN_HOST = Host(cpus=math.inf)
"""Its engine has not answered yet."""
NOT_TRIED = Capabilities.without_gates("it was not tried yet")


class Found(StrEnum):
    """What stands under an attempt's container name when a manager has come back."""

    MISSING = "missing"
    CREATED = "created"
    FORGOTTEN = "forgotten"
    """Created, says an engine that was restarted since: it may have forgotten that the command began."""
    RUNNING = "running"
    EXITED = "exited"
    FOREIGN = "foreign"
    """A container, but not this attempt's."""


MOST_SHARERS = 16
"""Users that the tasks of one job may have: file systems have room for a few in the list (ACL) of a file."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """Whose tasks can write in one work folder, as far as the manager and its home's file system allow."""

    manager: int
    """The user that the manager runs as: root gives folders to anybody, others only by lists (ACLs)."""
    problem: str | None
    """Why nothing can be opened to several users there, in words; None where it can."""

    def serves(self, user: int) -> bool:
        """Whether tasks that all have this user can write in a work folder."""
        return self.problem is None or self.manager in (0, user)


BY_ROOT = Sharing(manager=0, problem=None)
"""Of a manager that is root, with a home on a usual file system."""
