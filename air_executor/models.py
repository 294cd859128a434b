"""The job format: what stands in `state.json` and `tasks.json`.

Fields that older readers and writers know keep their names and meaning; everything else is optional on
input. Times are UTC with microseconds; a time written without a zone is taken as UTC.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from air_executor import names

SCHEMA = 1


def utc_now() -> datetime:
    """The current time, UTC."""
    return datetime.now(UTC)


def _read_time(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a time such as 2025-10-02T07:30:15.123456Z") from None
    if not isinstance(value, datetime):
        raise ValueError("must be a time such as 2025-10-02T07:30:15.123456Z")
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time between the years 1 and 9999, UTC") from None


def format_time(value: datetime) -> str:
    """The form that times have in the files: `2025-10-02T07:30:15.123456Z`."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _check_name(value: str) -> str:
    if not names.is_name(value):
        raise ValueError(names.RULE)
    return value


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    return value


Time = Annotated[datetime, BeforeValidator(_read_time), PlainSerializer(format_time, when_used="json")]
Text = Annotated[str, Field(strict=True), AfterValidator(_no_nul)]
Name = Annotated[str, Field(strict=True), AfterValidator(_check_name)]


def _check_user(value: str) -> str:
    if not re.fullmatch("[1-9][0-9]{0,9}(:[0-9]{1,10})?", value, re.ASCII):
        raise ValueError("must be a numeric user id other than 0, such as 1000 or 1000:1000")
    return value


class JobState(StrEnum):
    """The four states of a job."""

    WAITING = "waiting"
    WORKING = "working"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether the job is over."""
        return self in (JobState.COMPLETED, JobState.FAILED)


class TaskStatus(StrEnum):
    """The five statuses of a task."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def ended(self) -> bool:
        """Whether the task is over."""
        return self not in (TaskStatus.PENDING, TaskStatus.RUNNING)


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


class Record(BaseModel):
    """What the manager writes: never changed in place; keys it does not know are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Spec(BaseModel):
    """What people write: unknown keys are refused; keys that begin with `_` are comments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _drop_comments(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if not str(key).startswith("_")}
        return data


class Resources(Spec):
    """Limits of one task's container; what is not set takes the manager's default."""

    memory_mb: int | None = Field(None, ge=6, le=1 << 20, strict=True)
    """Memory in MiB; swap is not added to it."""
    cpus: float | None = Field(None, ge=0.01, le=1024, strict=True)
    """CPUs, a hard limit; 0.5 is half of one."""
    pids: int | None = Field(None, ge=1, le=1 << 22, strict=True)
    """Processes and threads."""


RETRIABLE = (Cause.EXIT, Cause.SIGNAL, Cause.OOM, Cause.TIMEOUT, Cause.LOST, Cause.ENGINE, Cause.IMAGE)
"""Causes that another attempt may cure."""


def _check_causes(value: tuple[Cause, ...]) -> tuple[Cause, ...]:
    for cause in value:
        if cause not in RETRIABLE:
            raise ValueError(f"{cause.value!r} is cured by no further attempt; use {', '.join(RETRIABLE)}")
    return value


class RetryPolicy(Spec):
    """When a failed task gets a further attempt. A bare number stands for `{"max": number}`."""

    max: int = Field(1, ge=0, le=100, strict=True)
    """How many further attempts, whatever their causes."""
    on: Annotated[tuple[Cause, ...], AfterValidator(_check_causes)] = RETRIABLE
    """The causes that get one."""
    backoff: float = Field(0, ge=0, le=86_400, strict=True, allow_inf_nan=False)
    """Seconds before the first further attempt; twice as many before each one after it, an hour at most."""
    memory_factor: float = Field(1, ge=1, le=64, strict=True, allow_inf_nan=False)
    """How much more memory an attempt gets for each one before it that ended with cause `oom`."""
    memory_max_mb: int | None = Field(None, ge=6, le=1 << 20, strict=True)
    """How far that may go; the operator's setting `retry_memory_mb` bounds it as well."""


DEFAULT_RETRIES = RetryPolicy(max=1, on=(Cause.LOST, Cause.ENGINE))
"""Where a task says nothing: once for what was no fault of its own."""


def _read_retries(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return {"max": value}
    if value is None or isinstance(value, dict | RetryPolicy):
        return value
    raise ValueError('must be a number of further attempts, or an object such as {"max": 3, "on": ["oom"]}')


def _short_retries(value: RetryPolicy | None) -> Any:
    """As people write it: a number where nothing else is said."""
    if value is None:
        return None
    said = value.model_dump(mode="json", exclude_defaults=True, exclude={"max"})
    return {"max": value.max} | said if said else value.max


class TaskFields(BaseModel):
    """What a task is, apart from what became of it."""

    id: Name
    command: Text = Field(min_length=1)
    args: tuple[Text, ...] = ()
    dependencies: tuple[Name, ...] = ()
    image: Text | None = None
    env: dict[Text, Text] = {}
    workdir: Text | None = None
    timeout: float | None = Field(None, gt=0, allow_inf_nan=False, strict=True)
    """Seconds from the start of the command; the manager's setting `timeout` where it is not set."""
    retries: Annotated[
        RetryPolicy | None, BeforeValidator(_read_retries), PlainSerializer(_short_retries)
    ] = None
    """How many further attempts a failure gets, or a policy; DEFAULT_RETRIES where it is not set."""
    resources: Resources = Resources()
    network: Text | None = None
    """`job` (shared by the tasks of a job, the default), `private`, `none`, or what the operator allows."""
    user: Annotated[str, Field(strict=True), AfterValidator(_check_user)] | None = None
    """Numeric user id, with a group id if wanted; never root."""

    @model_validator(mode="after")
    def _env_names(self) -> Self:
        for key in self.env:
            if not key or "=" in key:
                raise ValueError(f"env: {key!r} is not a name for an environment variable")
        return self


class TaskSpec(Spec, TaskFields):
    """A task as somebody asks for it."""


class Container(Record):
    """Which container served an attempt."""

    id: str | None = None
    name: str
    image: str
    image_id: str | None = None


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
        """Milliseconds from the container's creation to the command's start."""
        return _milliseconds(self.created_at, self.started_at)

    @property
    def ran_ms(self) -> float | None:
        """Milliseconds that the command ran."""
        return _milliseconds(self.started_at, self.finished_at)


def _milliseconds(begin: datetime | None, end: datetime | None) -> float | None:
    if begin is None or end is None:
        return None
    return max(0.0, (end - begin).total_seconds() * 1000)


class Failure(Record):
    """Why it failed: the cause as data, and a sentence a person can act on."""

    cause: Cause
    message: str
    exit_code: int | None = None


class Instant(Record):
    """A moment by the machine's clock that counts from its start, which nobody can set."""

    boot: str
    """Which start of the machine it counts from."""
    seconds: float


class Attempt(Record):
    """One try at a task: one container, used once."""

    number: int
    incarnation: int = 1
    timeout: float | None = None
    """Seconds that its command may run."""
    memory_mb: int | None = None
    """Its memory limit in MiB."""
    phase: Phase
    start: Literal["warm", "ahead", "cold"] = "cold"
    """Whether its container waited for it (`warm`: before anybody knew the task), or it for its container."""
    slot: str | None = None
    """The slot whose container it got, where it did not get one of its own."""
    stale: bool = False
    """Whether the container that waits can't be used any more, and another is to take its place."""
    container: Container
    exit_code: int | None = None
    oom_killed: bool | None = None
    stopping: Cause | None = None
    """Why the manager asked it to stop, once it has."""
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
        """Whether its command has succeeded, says its gate; the end of its container is still to come."""
        return self.phase is Phase.RUNNING and self.exit_code == 0

    @property
    def over_at(self) -> datetime | None:
        """From when on others need not wait for it any more."""
        return self.timings.finished_at if self.ended_well else self.timings.recorded_at

    @property
    def at_work(self) -> bool:
        """Whether it holds a runner: from its turn to the end of its command."""
        return self.undecided and self.needed and not self.ended_well

    @property
    def needed(self) -> bool:
        """Whether its task's turn has come; until then only a container is made for it, ahead of time."""
        return self.timings.ready_at is not None

    @property
    def gated(self) -> bool:
        """Whether its container waits at a gate before the command begins."""
        return self.start != "cold"


class Task(Record, TaskFields):
    """A task and what became of it."""

    job_name: Text = ""
    status: TaskStatus = TaskStatus.PENDING
    created_at: Time = Field(default_factory=utc_now)
    started_at: Time | None = None
    completed_at: Time | None = None
    error: str | None = None
    failure: Failure | None = None
    attempts: tuple[Attempt, ...] = ()
    earlier: int = 0
    """Attempts before the last `retry` of the job: they do not count against `retries`."""
    request: str | None = None
    """The request in the inbox that brought it, where it was not there from the beginning."""

    @property
    def policy(self) -> RetryPolicy:
        """When it gets a further attempt."""
        return DEFAULT_RETRIES if self.retries is None else self.retries

    @property
    def done(self) -> bool:
        """Whether its dependants may run: its command has succeeded."""
        well = self.attempts and self.attempts[-1].ended_well
        return self.status is TaskStatus.COMPLETED or bool(well)

    @property
    def attempt(self) -> Attempt | None:
        """The latest attempt."""
        return self.attempts[-1] if self.attempts else None

    @classmethod
    def of(cls, spec: TaskSpec, job_name: str, created_at: datetime) -> "Task":
        """A fresh task as `spec` asks for it."""
        return cls(**spec.model_dump(), job_name=job_name, created_at=created_at)


class Request(Record):
    """Which Airflow task instance asked for the job."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    generation: int = 0
    """Grows when the task is cleared, not when it is retried."""
    digest: str = ""
    """A hash of the tasks that were asked for."""

    def same_instance(self, other: "Request") -> bool:
        """Whether both come from the same task of the same run."""
        mine = (self.dag_id, self.run_id, self.task_id, self.map_index)
        return mine == (other.dag_id, other.run_id, other.task_id, other.map_index)


class Decision(Record):
    """What became of one request for a further task."""

    request: str
    task: str | None = None
    accepted: bool
    reason: str | None = None
    at: Time


class Job(Record):
    """A job, as `state.json` holds it."""

    schema_: int = Field(SCHEMA, alias="schema")
    id: Text
    name: Name
    state: JobState = JobState.WAITING
    created_at: Time = Field(default_factory=utc_now)
    updated_at: Time = Field(default_factory=utc_now)
    uid: str | None = None
    """The manager's own name for this job; ids repeat when folders are copied."""
    max_parallel: int | None = Field(None, ge=1, strict=True)
    slot: str | None = None
    """The slot that the job's first container came from, whose network its tasks share."""
    request: Request | None = None
    failure: Failure | None = None
    requests: tuple[Decision, ...] = ()

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class JobView(BaseModel):
    """A job and its tasks, as they were at one moment."""

    model_config = ConfigDict(frozen=True)

    job: Job
    tasks: tuple[Task, ...]

    @property
    def name(self) -> str:
        return self.job.name

    @property
    def state(self) -> JobState:
        return self.job.state

    @property
    def completed(self) -> int:
        """How many tasks have completed."""
        return sum(task.status is TaskStatus.COMPLETED for task in self.tasks)

    @property
    def progress(self) -> str:
        """For people: `2/3 completed`."""
        return f"{self.completed}/{len(self.tasks)} completed"

    @property
    def failed_task(self) -> Task | None:
        """The task that failed first."""
        failed = [task for task in self.tasks if task.status is TaskStatus.FAILED]
        return min(failed, key=lambda task: task.completed_at or task.created_at, default=None)
