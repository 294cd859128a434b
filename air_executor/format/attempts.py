"""The record of one attempt at a task: its container, its times, why it failed."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from air_executor.clock import Instant
from air_executor.format.fields import Record, Sentence, Time
from air_executor.format.mounts import GrantedMount
from air_executor.format.scratch import GrantedScratch


class Cause(StrEnum):
    """Why something failed, as data."""

    EXIT = "exit"  # the command ended with an exit code other than 0
    TIMEOUT = "timeout"  # it ran longer than the task's `timeout`
    OOM = "oom"  # the kernel killed it for its memory use
    SIGNAL = "signal"  # it was ended by a signal that nobody here sent
    CANCELLED = "cancelled"  # the job was cancelled
    IMAGE = "image"  # the image is not there and can't be had
    COMMAND = "command"  # the image has no such command, or it can't be executed
    LOST = "lost"  # the container is gone and its outcome with it
    ENGINE = "engine"  # the engine refused or failed
    BAD_INPUT = "bad_input"  # what was asked for breaks a rule


class Phase(StrEnum):
    """How far one attempt has come; each is on disk before the next act."""

    CLAIMED = "claimed"  # the container's name is decided; the engine may know it or not
    CREATED = "created"
    WAITING = "waiting"  # the container runs, its gate is shut: the command has not begun
    RUNNING = "running"
    RECORDED = "recorded"  # the outcome is durable; the container may go
    REMOVED = "removed"


class Container(Record):
    """Which container served an attempt."""

    id: str | None = None
    name: str
    image: str
    image_id: str | None = None
    digest: str | None = None
    """By which its registry knows the image: `debian@sha256:…`; None where it came from none."""
    stop_signal: str | None = None
    """That the image declares to stop it by; None: SIGTERM."""
    entrypoint: tuple[str, ...] | None = None
    """The image's, where the task runs that; and its CMD."""
    command: tuple[str, ...] | None = None


class GrantedNetwork(Record):
    """`job`: shared by the job's tasks, and held by the container `name`; `named`: one of the engine's."""

    kind: Literal["job", "private", "none", "named"]
    name: str = ""


class GrantedNames(Record):
    """What it knows of hosts, beside what every container does."""

    hosts: dict[str, str] = Field({})
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    hostname: str | None = None


class Grant(Record):
    """What an attempt gets. It is decided once, at the claim; the container is built from it alone."""

    image: str
    user: str
    """Numeric user and group id: `1000:1000`."""
    network: GrantedNetwork
    pull: bool = True
    """Whether its image may be asked of a registry where it is missing."""
    memory_mb: int
    cpus: float
    pids: int
    tmp_mb: int
    """Size of `/tmp`."""
    log_mb: int
    """Output that is kept."""
    timeout: float
    """Seconds that the command may run."""
    file_mb: int | None = None
    """Size that a file may get which it writes; None in records of managers that set no limit."""
    stop_grace: float | None = None
    """Seconds between its stop signal and SIGKILL; None: as the setting `cancel_grace` says by then."""

    result_kb: int | None = None
    """Size that its result may have; None where none is taken, as by managers that knew of none."""
    outputs_mb: int | None = None
    """Bytes of files that are listed as its outputs, in MiB; None where it promises none."""
    mounts: tuple[GrantedMount, ...] = ()
    scratch: tuple[GrantedScratch, ...] = ()
    shm_mb: int | None = None
    """Size of `/dev/shm`, where its task asks for one."""
    gpus: tuple[str, ...] = ()
    """Ids of the GPUs that nobody else gets as long as its container may be there."""
    ulimits: dict[str, tuple[int, int]] = Field({})
    """Limits of each process by name, soft and hard, beside the usual ones or in their place."""
    names: GrantedNames | None = None
    runtime: str | None = None
    """What runs its container; None: the engine's usual one."""
    secrets_kb: int | None = None
    """Size of `/run/secrets`; None in records of managers that made none."""
    secrets: dict[str, str] = Field({})
    """The operator's secrets that it finds as files, by name, and where. Never a value."""
    secret_env: dict[str, str] = Field({})
    """Variables, and the names of the secrets that they have the values of."""


class Timings(Record):
    """When each step of an attempt happened, from the engine's clock where the engine knows."""

    ready_at: Time | None = None
    """When its last dependency had ended and it could have run."""
    created_at: Time | None = None
    container_started_at: Time | None = None
    """When the container began; before `started_at` where the container waited ahead of time."""
    started_at: Time | None = None
    """When the command began; timeouts count from here."""
    finished_at: Time | None = None
    recorded_at: Time | None = None
    """When the outcome was written durably."""

    @property
    def create_to_start_ms(self) -> float | None:
        """Milliseconds from the container's creation to its start: what it took to make it."""
        return _milliseconds(self.created_at, self.container_started_at or self.started_at)

    @property
    def ready_to_began_ms(self) -> float | None:
        """Milliseconds from when the task could have run to when its command began."""
        return _milliseconds(self.ready_at, self.started_at)

    @property
    def made_beforehand(self) -> bool:
        """Whether the container had been started when its task's turn came: the task did not wait for it."""
        if self.container_started_at is None or self.ready_at is None:
            return False
        return self.container_started_at <= self.ready_at

    @property
    def ran_ms(self) -> float | None:
        """Milliseconds that the command ran."""
        return _milliseconds(self.started_at, self.finished_at)


def _milliseconds(begin: datetime | None, end: datetime | None) -> float | None:
    if begin is None or end is None:
        return None
    return max(0.0, (end - begin) / timedelta(milliseconds=1))


class Failure(Record):
    """Why it failed: the cause as data, and a sentence a person can act on."""

    cause: Cause
    message: Sentence
    exit_code: int | None = None
    setting: str | None = None
    """The operator's setting whose limit the job has passed, where that is why it was cancelled."""


class Attempt(Record):
    """One try at a task: one container, used once."""

    number: int
    incarnation: int = 1
    phase: Phase
    start: Literal["warm", "ahead", "cold"] = "cold"
    """When its container was made: before the task was known, before its turn had come, or when it had."""
    gate: bool = False
    """Whether its container begins with a gate even where it was made when its turn had come."""
    warm: str | None = None
    """The warm container that it got, by the name which that had, where none was made for it."""
    stale: bool = False
    """Whether its container, which waits, can't be used any more and has to be replaced."""
    container: Container
    """Its name is decided at the claim, and read from here ever after."""
    grant: Grant | None = None
    """None in records of managers that did not write it; these have `timeout` and `memory_mb` beside it."""
    dropped: bool = False
    """Whether its container is thrown away before its command began: it leaves the record with it."""
    exit_code: int | None = None
    oom_killed: bool | None = None
    stopping: Cause | None = None
    """Why the manager asked it to stop, once it has."""
    exceeded: str | None = None
    """The operator's setting whose limit its job has passed, where that is why."""
    failure: Failure | None = None
    log: str | None = None
    timings: Timings = Timings()
    claimed: Instant | None = None
    began: Instant | None = None
    """When the manager saw that it had started, to count its timeout across a restart of the manager."""

    @property
    def live(self) -> bool:
        """Whether its container may still be there."""
        return self.phase is not Phase.REMOVED

    @property
    def undecided(self) -> bool:
        """Whether its outcome is still open."""
        return self.phase in (Phase.CLAIMED, Phase.CREATED, Phase.WAITING, Phase.RUNNING)

    @property
    def ended_well(self) -> bool:
        """Whether its gate has said that its command succeeded. Its container may still run."""
        return self.phase is Phase.RUNNING and self.exit_code == 0

    @property
    def never_began(self) -> bool:
        """Whether it is over, and its command provably never began: its container could not be had."""
        unclear = self.stopping is not None or self.failure is None or self.failure.cause is Cause.LOST
        return not (self.undecided or unclear) and self.timings.started_at is None

    @property
    def over_at(self) -> datetime | None:
        """From when on tasks that depend on it need not wait for it."""
        return self.timings.finished_at if self.ended_well else self.timings.recorded_at

    @property
    def in_making(self) -> bool:
        """Whether its container is being made, after its turn has come or ahead of it."""
        return self.phase in (Phase.CLAIMED, Phase.CREATED) and (self.needed or self.premade)

    @property
    def at_work(self) -> bool:
        """Whether it holds a runner: from its turn to the end of its command."""
        return self.undecided and self.needed and not self.ended_well

    @property
    def needed(self) -> bool:
        """Whether its task's turn has come; until then only a container is made for it, ahead of time."""
        return self.timings.ready_at is not None

    @property
    def unwanted(self) -> bool:
        """Whether nobody needs its container any more, and its command has not begun."""
        begun = self.needed or self.phase is Phase.RUNNING
        return self.undecided and not begun and self.stopping is not None

    @property
    def gated(self) -> bool:
        """Whether its container begins with a gate, which hands over to the command."""
        return self.gate or self.premade

    @property
    def premade(self) -> bool:
        """Whether its container is made before its turn has come."""
        return self.start != "cold"
