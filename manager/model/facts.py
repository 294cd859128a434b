"""PURE. Facts: what has happened or been decided, as the manager's parts tell it to the loop.

Facts about jobs are folded into the job by `lifecycle` and `live_job`. One that comes twice, late, or about
an attempt that is over changes nothing. What is to be done are `actions`; their outcomes are facts again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from air_executor.clock import Instant
from air_executor.format.attempts import Failure, Grant
from air_executor.format.models import Job, Task, TaskSpec
from manager.model.actions import TaskAction
from manager.model.delivery import NOTHING, Delivery
from manager.model.image_facts import ImageFacts
from manager.model.values import (
    AttemptKey,
    Capabilities,
    ExitResult,
    Found,
    Host,
    ImageOrder,
    Owner,
    WarmContainer,
)

# --- What most facts are about --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OfFolder:
    """About a folder in the jobs folder, by its name; what is in it need not be a live job."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OfJob:
    """About a live job, by the manager's own uid for it."""

    uid: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OfAttempt:
    """About one attempt at a task of a live job."""

    key: AttemptKey
    at: datetime

    @property
    def uid(self) -> str:
        """The job's."""
        return self.key.uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion(OfAttempt):
    """An act on the attempt has had this outcome, so that another may follow."""


# --- The folder -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFound(OfFolder):
    """A complete folder that no manager has taken yet."""

    job: Job
    tasks: tuple[Task, ...]
    owner: Owner
    bare: bool = False
    """Whether it brings nothing as `work`, so that the work folder of a warm container can become its own."""
    submitted: str | None = None
    """What tells its `state.json` from any other in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRefused(OfFolder):
    """A folder that can't be a job; `job` is what could be read of it."""

    job: Job | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequested(OfFolder):
    """Somebody asks that what failed and what was skipped in an ended job runs again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetRequested(OfFolder):
    """Somebody asks that an ended job starts over, without the records it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderGone(OfFolder):
    """The folder of a job that is not live is gone: who removes it, removes the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobVanished(OfJob):
    """The folder of a live job is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested(OfJob):
    """Somebody put the cancel marker into the job's folder."""

    marker: str | None = None
    """What tells it from one that was put there before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTimedOut(OfJob):
    """The job has taken as long as it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskExceeded(OfJob):
    """The job has more on the disk than the operator allows."""

    setting: str
    """Which does not allow it; `limit` and `used` are in its `unit`."""
    unit: str
    limit: int
    used: int
    scratch: str = ""
    """The place of the scratch space that has more than its task asked for, where that is why."""

    @property
    def advice(self) -> str:
        """What helps before it is retried."""
        return "ask for more" if self.scratch else "delete some of its files, or raise the setting"

    @property
    def words(self) -> str:
        """For people."""
        if self.scratch:
            return f"its scratch space {self.scratch} has {self.used} {self.unit}, and asked for {self.limit}"
        return f"it has {self.used} {self.unit} on the disk, the setting {self.setting} allows {self.limit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequested(OfJob):
    """A well-formed request for a further task was in the inbox."""

    request: str
    spec: TaskSpec
    parent: AttemptKey | None = None
    """The attempt in whose inbox it was; None where somebody from outside asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(OfJob):
    """A request in the inbox that can't be read as a task."""

    request: str
    reason: str
    parent: AttemptKey | None = None
    """As above."""


# --- Decisions of the scheduler, journaled before the act that they permit ------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskClaimed(OfAttempt):
    """The task gets a container of this name."""

    container: str
    grant: Grant
    work: str = ""
    """The name of the folder that it mounts as `/work`."""
    runs_as: Owner | None = None
    """The user that the job has for itself, where it gets one."""
    instant: Instant | None = None
    start: Literal["warm", "ahead", "cold"] = "cold"
    """`ahead`: it is for a task that can't run yet. `warm`: it is the container `warm`."""
    gated: bool = False
    """Whether it begins with a gate also where it is made when the task can run."""
    warm: WarmContainer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptNeeded(OfAttempt):
    """The turn of a task has come whose attempt was claimed ahead of time: its gate may be opened."""

    instant: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBroken(OfJob):
    """The manager met an error of its own with the job, as nobody foresaw: it can't go on."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnded(OfJob):
    """Nothing is left to do for the job."""


# --- Images ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLacking(OfJob):
    """The task's turn has come, and its image is not known to be here: it waits for that."""

    task: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSupplied(OfJob):
    """Tasks that wait for the image wait no longer: it is here, or can't be had."""

    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GpusLacking(OfJob):
    """The task's turn has come, and it asks for GPUs: it waits for these."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GpusSupplied(OfJob):
    """There are GPUs for the task: it is claimed next."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFetched:
    """The image is here; or why it can't be had."""

    image: str
    order: ImageOrder
    problem: Failure | None
    at: datetime


# --- Containers -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerCreated(Completion):
    """It is there, and nobody has asked for its start.

    The image of one that was made just now is told when it starts, and its time is the manager's until then.
    """

    container_id: str
    image_id: str | None
    created_at: datetime
    of_image: ImageFacts | None = None
    """What its image says of itself, where that is news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFailed(Completion):
    """The container can't be created or started; its command never began."""

    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerWaiting(Completion):
    """The container runs, and its gate is shut."""

    container_id: str
    image_id: str | None
    created_at: datetime
    container_started_at: datetime
    of_image: ImageFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStarted(Completion):
    """The command has begun."""

    started_at: datetime
    instant: Instant | None = None
    """When that was, where it has been seen and not been found out later."""
    image_id: str | None = None
    """What the engine says of its container, where that is news; `created_at` as well."""
    created_at: datetime | None = None
    of_image: ImageFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected(Completion):
    """What stands under the container's name of an attempt that a journal told of."""

    found: Found
    container_id: str = ""
    image_id: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    of_image: ImageFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSucceeded(OfAttempt):
    """The command has ended with 0, and nothing of it runs; its container is about to end."""

    finished_at: datetime
    delivery: Delivery = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerExited(Completion):
    """The container has ended."""

    result: ExitResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLost(Completion):
    """The container is gone, and nobody knows how its command ended."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerDropped(Completion):
    """A container was thrown away before its command began, because nobody wants it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerVoided(Completion):
    """A container can't be used, provably never began, and is gone: another may take its place."""

    why: str = ""
    """In words, where they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRemoved(Completion):
    """The container is gone, its outcome having been recorded before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActPostponed(Completion):
    """The act has come to nothing, and changed nothing that matters: it is to be done again."""

    action: TaskAction


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLost(OfJob):
    """The container that holds the job's network has ended: who runs in it has no network any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmReady:
    """The warm container waits for a task."""

    warm: WarmContainer


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmFailed:
    """The warm container can't be made; nothing is left of it."""

    name: str
    message: str
    at: datetime


# --- Time -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed(OfAttempt):
    """The command has run for as long as the task's `timeout` allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestPassed(Completion):
    """The pause between the attempt and the next is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GracePassed(OfAttempt):
    """The time between the stop signal and SIGKILL is over."""


# --- The manager itself ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChanged:
    """The engine answers (`Docker 26.1.5`), or why it does not."""

    answers: bool
    description: str
    host: Host | None = None
    """What it runs on, where it has just told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilitiesFound:
    """What can be done with the engine on this host was tried."""

    capabilities: Capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPublished:
    """The last views of an ended job are on disk."""

    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One container of this home that the engine has."""

    container: str
    """Its id."""
    name: str
    labels: dict[str, str]
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainersListed:
    """Every container of this home that the engine had, some time ago."""

    containers: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A poll interval has passed, or something asks for a fresh look."""


JobFact = OfJob | OfAttempt
Fact = (
    JobFact
    | OfFolder
    | EngineChanged
    | CapabilitiesFound
    | WarmReady
    | WarmFailed
    | ImageFetched
    | JobPublished
    | ContainersListed
    | Tick
)
