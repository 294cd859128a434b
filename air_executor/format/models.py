"""The job format: what stands in `state.json` and `tasks.json`.

Fields that older readers and writers know keep their names and meaning; everything else is optional on
input. Times are UTC with microseconds; a time written without a zone is taken as UTC.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    PlainSerializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from air_executor.clock import utc_now
from air_executor.errors import LONGEST_VALUE, BadInput, cut, quoted
from air_executor.format import arguments, images, networks, paths, users
from air_executor.format.arguments import Argument
from air_executor.format.attempts import Attempt, Cause, Failure
from air_executor.format.conditions import ExitCodes, JobOutcome, OnFailure, OnSkip, Outcome, RunIf
from air_executor.format.entrypoints import NO_COMMAND, OF_IMAGE, Entrypoint
from air_executor.format.fields import FilledText, Name, Record, Sentence, Spec, Text, Time, Word
from air_executor.format.gpus import Gpus
from air_executor.format.halts import Halt, TimeLimit
from air_executor.format.host_names import Domains, HostName, Hosts, Servers
from air_executor.format.inputs import Inputs
from air_executor.format.labels import Labels
from air_executor.format.limits import (
    A_STRINGS_REST,
    MAX_ARGUMENTS,
    MAX_COMMAND_BYTES,
    MAX_STRING_BYTES,
    MAX_TASKS,
    MAX_VARIABLES,
    MAX_WORD,
    at_most,
)
from air_executor.format.mounts import Mounts
from air_executor.format.nearest import did_you_mean
from air_executor.format.outputs import Patterns
from air_executor.format.results import OutputFile, Returned
from air_executor.format.runtimes import Runtime
from air_executor.format.scratch import Scratch
from air_executor.format.secrets import (
    check_secret_env,
    check_secrets,
    count_variables,
    read_secrets,
    short_secrets,
)
from air_executor.format.ulimits import Ulimits

SCHEMA = 1


def _check_form_of_user(value: str) -> str:
    """What records have: some are from when numbers were taken that no engine takes."""
    if not re.fullmatch("[1-9][0-9]{0,9}(:[0-9]{1,10})?", value, re.ASCII):
        raise ValueError(users.RULE)
    return value


def _check_user(value: str) -> str:
    users.parse_user(value)
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


class Resources(Spec):
    """Limits of one task's container; what is not set takes the manager's default."""

    memory_mb: int | None = Field(None, ge=6, le=1 << 20, strict=True)
    """Memory in MiB; swap is not added to it."""
    cpus: float | None = Field(None, ge=0.01, le=1024, strict=True)
    """CPUs, a hard limit; 0.5 is half of one."""
    pids: int | None = Field(None, ge=1, le=1 << 22, strict=True)
    """Processes and threads."""
    tmp_mb: int | None = Field(None, ge=1, le=1 << 20, strict=True)
    """Size of `/tmp` in MiB; what is in it counts as memory."""
    shm_mb: int | None = Field(None, ge=1, le=1 << 20, strict=True)
    """Size of `/dev/shm` in MiB; likewise."""
    gpus: Gpus | None = None
    """How many of the host's GPUs it gets for itself, or which."""


RETRIABLE = (Cause.EXIT, Cause.SIGNAL, Cause.OOM, Cause.TIMEOUT, Cause.LOST, Cause.ENGINE, Cause.IMAGE)
"""Causes that another attempt may cure."""


def _check_cause(value: Any) -> Any:
    if value in RETRIABLE:
        return value
    meant = did_you_mean(value, RETRIABLE) if isinstance(value, str) else ""
    what = "is cured by no further attempt" if value in tuple(Cause) else "is no cause of a failure"
    raise ValueError(f"{what}; use {', '.join(RETRIABLE)}{meant}")


class RetryPolicy(Spec):
    """When a failed task gets a further attempt. A bare number stands for `{"max": number}`."""

    max: int = Field(1, ge=0, le=100, strict=True)
    """How many further attempts, whatever their causes."""
    on: Annotated[
        tuple[Annotated[Cause, BeforeValidator(_check_cause)], ...],
        FailFast(),
        BeforeValidator(at_most(len(Cause), "causes")),
    ] = RETRIABLE
    """The causes that get one."""
    backoff: float = Field(0, ge=0, le=86_400, strict=True, allow_inf_nan=False)
    """Seconds before the first further attempt; twice as many before each one after it, an hour at most."""
    memory_factor: float = Field(1, ge=1, le=64, strict=True, allow_inf_nan=False)
    """How much more memory an attempt gets for each one before it that ended with cause `oom`."""
    memory_max_mb: int | None = Field(None, ge=6, le=1 << 20, strict=True)
    """How far that may go; the operator's setting `retry_memory_mb` bounds it as well."""
    exit_codes: ExitCodes = ()
    """Of failures with cause `exit`, those that get another attempt; all where none is given."""

    @model_validator(mode="after")
    def _exit_codes_with_their_cause(self) -> Self:
        if self.exit_codes and Cause.EXIT not in self.on:
            raise ValueError('exit_codes: are those of the cause "exit", which `on` does not have')
        return self


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
    command: FilledText | None = None
    args: Annotated[
        tuple[Argument, ...], FailFast(), BeforeValidator(at_most(MAX_ARGUMENTS, "arguments"))
    ] = ()
    """Strings, or references to the results of tasks that it depends on."""
    dependencies: Annotated[
        tuple[Name, ...], FailFast(), BeforeValidator(at_most(MAX_TASKS, "dependencies"))
    ] = ()
    image: Text | None = None
    env: Annotated[dict[Text, Text], BeforeValidator(at_most(MAX_VARIABLES, "variables"))] = {}
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
    user: Annotated[str, Field(strict=True), AfterValidator(_check_form_of_user)] | None = None
    """Numeric user id, with a group id if wanted; never root."""
    secrets: Annotated[
        dict[Text, Text],
        BeforeValidator(read_secrets),
        AfterValidator(check_secrets),
        PlainSerializer(short_secrets),
    ] = {}
    """The operator's secrets that it finds as files, and where; a list has those in `/run/secrets/<name>`."""
    secret_env: Annotated[
        dict[Text, Text],
        BeforeValidator(count_variables),
        AfterValidator(check_secret_env),
    ] = {}
    """Variables, and the operator's secrets that they have the values of."""

    ulimits: Ulimits = {}
    """Limits of each of its processes."""
    hosts: Hosts = {}
    """Addresses by names of hosts, in its /etc/hosts."""
    dns: Servers = ()
    """Name servers that it asks, in place of the usual ones."""
    dns_search: Domains = ()
    """Domains in which a short name is looked for."""
    hostname: HostName | None = None
    """Its host's own name, where its network is its own."""
    runtime: Runtime | None = None
    """What runs its container: one that the operator allows, or `default`."""
    mounts: Mounts = {}
    """What it has of the host, by names that the operator has declared."""
    scratch: Scratch = {}
    """Places that it can write to, with their sizes; empty at the beginning, and gone at the end."""
    run_if: RunIf = RunIf.SUCCESS
    """What must have become of its dependencies. What runs after `failure` or `always` is cleanup."""
    allow_failure: bool = Field(False, strict=True)
    """Whether its failure does not fail the job, and its dependants go on as after a success."""
    skip_exit_codes: ExitCodes = ()
    """Exit codes by which it says that there was nothing to do: it is `skipped` then, and no failure."""
    on_skip: OnSkip = OnSkip.SKIP
    """What follows for its dependants then."""
    labels: Labels = {}
    outputs: Patterns = ()
    """Files below `/work` that it promises to make: they are listed in its record when it has succeeded."""
    entrypoint: Entrypoint = None
    """What comes before `command` and `args`: `image`, that of the image; a list; or nothing. Where there is
    no command either, the image's."""
    pull: Literal["missing", "always", "never"] | None = None
    """When the image is asked of its registry: where it is missing, unless this says otherwise."""
    stop_grace: float | None = Field(None, ge=0, le=86_400, allow_inf_nan=False, strict=True)
    """Seconds between the image's stop signal and SIGKILL; the setting `cancel_grace` where it is not set."""

    @property
    def runs_the_images(self) -> bool:
        """Whether the image says what is executed."""
        return self.entrypoint == OF_IMAGE or (self.entrypoint is None and self.command is None)

    @property
    def words(self) -> tuple[str, ...]:
        """What it says itself of that: its own entry point, its command, and its arguments."""
        own = () if self.entrypoint is None or self.entrypoint == OF_IMAGE else self.entrypoint
        command = () if self.command is None else (self.command,)
        return (*own, *command, *arguments.shown(self.args))

    @model_validator(mode="after")
    def _one_value_for_a_variable(self) -> Self:
        for name in self.secret_env:
            if name in self.env:
                raise ValueError(f"secret_env: {quoted(name)} is in env as well")
        return self

    @model_validator(mode="after")
    def _env_names(self) -> Self:
        for key in self.env:
            if not key or "=" in key:
                raise ValueError(f"env: {quoted(key)} is not a name for an environment variable")
        return self

    @property
    def says_what_runs(self) -> bool:
        """Whether anything does: the command, its image, or an entry point."""
        return not (self.command is None and self.image is None and self.entrypoint is None)

    def check_command(self, field: str = "") -> None:
        """Whether it says what is to run. Raises BadInput below `field`.

        What is written by hand may have it from its job's `defaults`, so this is asked when those are in.
        """
        if not self.says_what_runs:
            raise BadInput(NO_COMMAND, field=f"{field}command")

    def check_size(self, field: str = "") -> None:
        """Whether a kernel can begin what is asked for. Raises BadInput below `field`."""
        parts: Counter[str] = Counter()
        for name, string in self._strings():
            size = len(string.encode())
            if size > MAX_STRING_BYTES:
                raise BadInput(
                    f"has {size} bytes, and one argument or variable at most {MAX_STRING_BYTES}; put it into "
                    "a file in the job's work folder",
                    field=field + name,
                )
            parts[re.split(r"[.[]", name)[0]] += size + A_STRINGS_REST
        if (total := parts.total()) > MAX_COMMAND_BYTES:
            longest, _ = parts.most_common(1)[0]
            raise BadInput(
                f"has {total} bytes with its command and variables ({A_STRINGS_REST} for each of them), "
                f"and at most {MAX_COMMAND_BYTES} are allowed; put them into a file in the job's work folder",
                field=field + longest,
            )
        for name in ("image", "workdir", "network"):
            if len(getattr(self, name) or "") > MAX_WORD:
                raise BadInput(f"is longer than {MAX_WORD} characters", field=field + name)

    def check_paths(self, field: str = "") -> None:
        """Whether a command can begin there. Raises BadInput below `field`.

        An empty `workdir` is the usual one: so it was always read in files that are written by hand.
        """
        program = None if self.runs_the_images else self.words[0]
        for name, path, check in (
            ("command" if self.entrypoint is None else "entrypoint", program, paths.check_path),
            ("workdir", self.workdir, paths.check_folder),
        ):
            try:
                check(path or "/")
            except ValueError as error:
                raise BadInput(f"{quoted(path)} {error}", field=field + name) from None

    def _strings(self) -> Iterator[tuple[str, str]]:
        """What the kernel copies, and where it is said."""
        if isinstance(self.entrypoint, tuple):
            for index, word in enumerate(self.entrypoint):
                yield f"entrypoint[{index}]", word
        yield "command", self.command or ""
        for index, argument in enumerate(arguments.shown(self.args)):
            yield f"args[{index}]", argument
        for name, value in self.env.items():
            yield f"env.{cut(name, LONGEST_VALUE)}", f"{name}={value}"

    @property
    def size(self) -> int:
        """Characters that it takes to ask for it."""
        return len(self.model_dump_json(include=set(TaskFields.model_fields), exclude_defaults=True))


class TaskSpec(Spec, TaskFields):
    """A task as somebody asks for it."""

    image: Annotated[Text, AfterValidator(images.check_image)] | None = None
    workdir: Annotated[Text, AfterValidator(paths.check_folder)] | None = None
    network: Annotated[Text, AfterValidator(networks.check_network)] | None = None
    user: Annotated[str, Field(strict=True), AfterValidator(_check_user)] | None = None

    @model_validator(mode="after")
    def _has_a_command(self) -> Self:
        if not self.says_what_runs:
            raise PydanticCustomError("missing_field", NO_COMMAND, {"field": "command"})
        return self

    @model_validator(mode="after")
    def _can_begin(self) -> Self:
        try:
            self.check_size()
            self.check_paths()
        except BadInput as error:
            raise ValueError(str(error)) from None
        return self

    @classmethod
    def elsewhere(cls, name: str) -> str | None:
        """Of the job's fields."""
        if name not in JobSpec.model_fields:
            return None
        instead = "; what a task runs after, it says by `run_if`" if name == "on_failure" else ""
        return f"is a field of the job: say it there, as `job.{name}`{instead}"

    def is_asked_by(self, other: "TaskFields") -> bool:
        """Whether the other one asks for the same in every word."""
        return all(getattr(self, field) == getattr(other, field) for field in TaskSpec.model_fields)


class Task(Record, TaskFields):
    """A task and what became of it."""

    job_name: Word = ""
    status: TaskStatus = TaskStatus.PENDING
    created_at: Time = Field(default_factory=utc_now)
    started_at: Time | None = None
    completed_at: Time | None = None
    error: Sentence | None = None
    failure: Failure | None = None
    outcome: Outcome | None = None
    """What came of it, where its status does not say it."""
    attempts: Annotated[tuple[Attempt, ...], FailFast()] = ()
    earlier: int = 0
    """Attempts before the last `retry` of the job: they do not count against `retries`."""
    request: Word | None = None
    """The request in the inbox that brought it, where it was not there from the beginning."""
    parent: str | None = None
    """The task that queued it, where one did."""
    result: Returned = None
    """What it has written to `$AIR_EXECUTOR_RESULT`, once its command has succeeded."""
    produced: Annotated[tuple[OutputFile, ...], FailFast()] = ()
    """The files that fit its `outputs`, by path, as they were then."""

    @property
    def handed_over(self) -> int:
        """Bytes that its result and the list of its files take."""
        return (self.result.size if self.result else 0) + sum(file.cost for file in self.produced)

    @property
    def policy(self) -> RetryPolicy:
        """When it gets a further attempt."""
        return DEFAULT_RETRIES if self.retries is None else self.retries

    @property
    def done(self) -> bool:
        """Whether its command has succeeded, so that its dependants may run."""
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

    dag_id: Word
    run_id: Word
    task_id: Word
    map_index: int = -1
    generation: int = 0
    """Grows when the task is cleared, not when it is retried."""
    digest: Word = ""
    """A hash of the tasks that were asked for."""

    def same_instance(self, other: "Request") -> bool:
        """Whether both come from the same task of the same run."""
        mine = (self.dag_id, self.run_id, self.task_id, self.map_index)
        return mine == (other.dag_id, other.run_id, other.task_id, other.map_index)


class Decision(Record):
    """What became of one request for a further task."""

    request: Word
    task: Word | None = None
    accepted: bool
    reason: Sentence | None = None
    at: Time


class JobOptions(BaseModel):
    """What a job may say of itself, beside its name."""

    on_failure: OnFailure | None = None
    """What follows for the rest of it when a task fails; `stop` where it is not set."""
    timeout: float | None = Field(None, gt=0, allow_inf_nan=False, strict=True)
    """Seconds from when the manager takes it, until all of it but cleanup is stopped."""
    priority: int | None = Field(None, ge=-100, le=100, strict=True)
    """Runners go to the job with the higher one first; 0 where it is not set."""
    defaults: dict[str, Any] | None = None
    """Fields for its tasks that do not say them; they are written into the tasks when it is taken."""
    labels: Labels | None = None


OF_ONE_TASK = ("id", "command", "args", "dependencies")
"""What no two tasks have in common."""


class JobSpec(Spec, JobOptions):
    """A job as somebody asks for it, without its tasks."""

    name: Name
    max_parallel: int | None = Field(None, ge=1, strict=True)

    @classmethod
    def elsewhere(cls, name: str) -> str | None:
        """Of tasks' fields."""
        if name not in TaskSpec.model_fields:
            return None
        common = "" if name in OF_ONE_TASK else f", or for all of them as `job.defaults.{name}`"
        return f"is a field of tasks: say it in each of them{common}"


class Job(Record, JobOptions):
    """A job, as `state.json` holds it."""

    schema_: int = Field(SCHEMA, alias="schema")
    id: Word
    name: Name
    state: JobState = JobState.WAITING
    created_at: Time = Field(default_factory=utc_now)
    updated_at: Time = Field(default_factory=utc_now)
    uid: Word | None = None
    """The manager's own name for this job; ids repeat when folders are copied."""
    max_parallel: int | None = Field(None, ge=1, strict=True)
    network: Word | None = None
    """The container that holds the network which the job's tasks share, once one of them was to join it."""
    work_folder: Word | None = None
    """The name, in the home's `work`, of what the job's containers mount as `/work`, once it has one."""
    runs_as: Word | None = None
    """The user that the job has for itself, where the operator gives each job one, once a task was to run."""
    request: Request | None = None
    inputs: Inputs | None = None
    """What it brought in its work folder, where it was created with files: `reset` would lose that."""
    failure: Failure | None = None
    outcome: JobOutcome | None = None
    """What came of it, where its state and its failure do not say it."""
    halt: Halt | None = None
    limit: TimeLimit | None = None
    requests: Annotated[tuple[Decision, ...], FailFast()] = ()

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
        """The task that failed first, of those that may not."""
        failed = [task for task in self.tasks if task.status is TaskStatus.FAILED and not task.allow_failure]
        return min(failed, key=lambda task: task.completed_at or task.created_at, default=None)
