"""Facts: the small frozen values in which the manager's parts tell what has happened or been decided.

Facts about jobs are folded into the job by `lifecycle` and `live_job`; a fact that comes twice, late, or
about an attempt that is over, changes nothing. What is to be done are `actions`; their outcomes are facts.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from air_executor.clock import Instant
from air_executor.format.attempts import Failure
from air_executor.format.models import Job, Task, TaskSpec
from manager.model.values import AttemptKey, Capabilities, Found, Outcome, Owner, Slot

# --- Facts about the folder -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JobFound:
    """A complete folder that no manager has taken yet."""

    name: str
    job: Job
    tasks: tuple[Task, ...]
    owner: Owner
    at: datetime
    bare: bool = False
    """Whether it has neither `work` nor `inbox` yet, so that those of a slot can become its own."""
    submitted: str | None = None
    """What tells its `state.json` from any other in its place."""


@dataclass(frozen=True, slots=True)
class JobRefused:
    """A folder that can't be a job; `job` and `tasks` are what could be read of it."""

    name: str
    job: Job | None
    tasks: tuple[Task, ...]
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class JobVanished:
    """The folder of a live job is gone."""

    uid: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody put the cancel marker into the job's folder."""

    uid: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """Somebody asks that what failed and what was skipped in an ended job runs again."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ResetRequested:
    """Somebody asks that an ended job starts over, without the records it has."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TaskRequested:
    """A well-formed request for a further task was in the inbox."""

    uid: str
    request: str
    spec: TaskSpec
    at: datetime


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request in the inbox that can't be read as a task."""

    uid: str
    request: str
    reason: str
    at: datetime


# --- Decisions of the planner, journaled before the act that they permit --------------------------------


@dataclass(frozen=True, slots=True)
class TaskClaimed:
    """The task gets a container of this name."""

    key: AttemptKey
    container: str
    image: str
    timeout: float
    memory_mb: int
    at: datetime
    instant: Instant | None = None
    start: Literal["warm", "ahead", "cold"] = "cold"
    """`ahead`: it is for a task that can't run yet. `warm`: it is the `slot`'s container."""
    slot: Slot | None = None


@dataclass(frozen=True, slots=True)
class AttemptNeeded:
    """The turn of a task has come whose attempt was claimed ahead of time: its gate may be opened."""

    key: AttemptKey
    at: datetime
    instant: Instant | None = None


@dataclass(frozen=True, slots=True)
class JobEnded:
    """Nothing is left to do for the job."""

    uid: str
    at: datetime


# --- Facts about containers -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ContainerCreated:
    """It is there, and nobody has asked for its start.

    Made just now, its image is told when it starts, and its time is the manager's until then.
    """

    key: AttemptKey
    container_id: str
    image_id: str | None
    created_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class LaunchFailed:
    """The container can't be created or started; its command never began."""

    key: AttemptKey
    failure: Failure
    at: datetime


@dataclass(frozen=True, slots=True)
class ContainerWaiting:
    """The container runs, and its gate is shut."""

    key: AttemptKey
    container_id: str
    image_id: str | None
    created_at: datetime
    container_started_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class ContainerStarted:
    """The command has begun."""

    key: AttemptKey
    started_at: datetime
    at: datetime
    instant: Instant | None = None
    """When that was, where it has been seen and not been found out later."""
    image_id: str | None = None
    """What the engine says of its container, where that is news; `created_at` as well."""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StockTaken:
    """What stands under the container's name of an attempt that a journal told of."""

    key: AttemptKey
    found: Found
    at: datetime
    container_id: str = ""
    image_id: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CommandSucceeded:
    """The command has ended with 0, and nothing of it runs; its container is about to end."""

    key: AttemptKey
    finished_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class ContainerExited:
    key: AttemptKey
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True)
class ContainerLost:
    """The container is gone, and nobody knows how its command ended."""

    key: AttemptKey
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ContainerDropped:
    """A container was thrown away before its command began, because nobody wants it any more."""

    key: AttemptKey
    at: datetime


@dataclass(frozen=True, slots=True)
class ContainerVoided:
    """A container can't be used, provably never began, and is gone: another may take its place."""

    key: AttemptKey
    successor: str
    """The name of the attempt's next incarnation."""
    at: datetime


@dataclass(frozen=True, slots=True)
class ContainerRemoved:
    key: AttemptKey
    at: datetime


@dataclass(frozen=True, slots=True)
class NetworkLost:
    """The container that holds the job's network has ended: who runs in it has no network any more."""

    uid: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SlotReady:
    """The slot waits for a task."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class SlotFailed:
    """The slot can't be made; nothing is left of it."""

    id: str
    message: str
    at: datetime


# --- Facts about time -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The command has run for as long as the task's `timeout` allows."""

    key: AttemptKey
    at: datetime


@dataclass(frozen=True, slots=True)
class RestPassed:
    """The pause between the attempt and the next is over."""

    key: AttemptKey
    at: datetime


@dataclass(frozen=True, slots=True)
class GracePassed:
    """The time between SIGTERM and SIGKILL is over."""

    key: AttemptKey
    at: datetime


# --- Facts about the manager itself ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EngineChanged:
    """The engine answers (`Docker 26.1.5`), or why it does not."""

    answers: bool
    description: str


@dataclass(frozen=True, slots=True)
class CapabilitiesFound:
    """What can be done with the engine on this host was tried."""

    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class JobPublished:
    """The last views of an ended job are on disk."""

    uid: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One container of this home that the engine has."""

    container: str
    labels: dict[str, str]
    ended: bool


@dataclass(frozen=True, slots=True)
class ContainersListed:
    """Every container of this home that the engine had, some time ago."""

    containers: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A poll interval has passed, or something asks for a fresh look."""


TaskFact = (
    TaskClaimed
    | AttemptNeeded
    | ContainerCreated
    | ContainerWaiting
    | LaunchFailed
    | ContainerStarted
    | CommandSucceeded
    | ContainerExited
    | ContainerLost
    | ContainerDropped
    | ContainerVoided
    | ContainerRemoved
    | DeadlinePassed
)
JobFact = (
    TaskFact
    | StockTaken
    | RestPassed
    | GracePassed
    | CancelRequested
    | JobVanished
    | NetworkLost
    | TaskRequested
    | RequestRefused
    | JobEnded
)
Fact = (
    JobFact
    | JobFound
    | JobRefused
    | RetryRequested
    | ResetRequested
    | EngineChanged
    | CapabilitiesFound
    | SlotReady
    | SlotFailed
    | JobPublished
    | ContainersListed
    | Tick
)
