"""Every setting, its default and its reason.

Read from the environment (`AIR_EXECUTOR_MAX_RUNNERS=20`) and from `config.toml` in the home folder
(`max_runners = 20`); the environment wins.
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from air_executor.errors import BadInput, quoted
from air_executor.format import gpus, networks, runtimes, ulimits
from air_executor.format.fields import Name
from air_executor.format.images import check_image
from air_executor.format.limits import MAX_BYTES, MAX_RESULT_BYTES, MAX_TASKS, Bounds
from air_executor.format.mounts import DeclaredMount
from air_executor.format.nearest import did_you_mean, fields_at
from air_executor.format.secrets import SecretRule, check_name
from air_executor.format.users import FIRST_OF_PEOPLE as FIRST_OF_PEOPLE
from air_executor.format.users import MAX_ID, UserRange, check_range
from air_executor.policy import Policy
from air_executor.store import home_folder

CONFIG_FILE = "config.toml"
PREFIX = "AIR_EXECUTOR_"
OF_COMPOSE = ("UID", "GID", "DAGS", "MANAGER_IMAGE", "AIRFLOW_IMAGE", "POSTGRES_IMAGE")
OF_TASKS = ("JOB", "TASK", "ATTEMPT", "INBOX", "RESULT", "RESULTS")
OTHER_VARIABLES = (*OF_COMPOSE, *OF_TASKS, "FAILPOINT")
"""What others read from the environment under this prefix."""
A_DAY = 86_400.0
OPEN = ("0.0.0.0/0", "::/0")
"""`egress` that is open, as a list."""
MOST_GPUS = 1024
ELSEWHERE = {
    "nofile": "that is the setting `open_files`",
    "fsize": "that is the setting `job_disk_mb`",
    "nproc": ulimits.OF_ALL,
}
"""Limits that other settings bound, and the one that no task may have."""
MOST_NETWORKS = 200
"""In one setting: a packet is held against one after the other."""


LISTS = {
    "command": '["cat", "/srv/x"]',
    "groups": "[100]",
    "images": '["debian:*"]',
    "networks": '["db"]',
    "queued_images": '["debian:*"]',
    "registries": '["ghcr.io"]',
    "runtimes": '["runsc"]',
    "users": '["1000"]',
}
"""Of what is a list, an example."""


TABLES = {
    "mounts": '{"datasets": {"path": "/srv/datasets"}}',
    "secrets": '{"db": {"file": "/srv/secrets/db"}}',
}
"""Likewise, of tables in an environment variable."""


def _read_list(value: Any, info: ValidationInfo) -> Any:
    """A list, also as it stands in an environment variable."""
    rule = f"must be a list such as {LISTS[info.field_name or '']}"
    found = _decoded(value, rule)
    if not isinstance(found, list | tuple):
        raise ValueError(rule)
    return found


def _decoded(value: Any, rule: str) -> Any:
    """What stands as JSON in an environment variable."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(rule) from None


def _check_network(name: str) -> str:
    if not networks.is_allowable(name):
        raise ValueError(
            f"{name!r} can't be allowed to tasks: name a network that was made with `docker network create`"
        )
    return name


def _check_absolute(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("must not have a NUL character in it")
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _check_job_uids(text: str) -> str:
    if text and ("-" not in text or UserRange.parse(text).first < FIRST_OF_PEOPLE):
        raise ValueError(f"must be a range such as 100000-165535, from {FIRST_OF_PEOPLE} on")
    return text


Word = Annotated[str, Field(min_length=1)]
GroupId = Annotated[int, Field(ge=1, le=MAX_ID, strict=True)]
Network = Annotated[str, AfterValidator(_check_network)]
Users = Annotated[str, AfterValidator(check_range)]
Ceiling = Annotated[int, Field(ge=0, le=ulimits.MOST, strict=True)]
Runtime = Annotated[str, AfterValidator(runtimes.check_runtime)]
SecretName = Annotated[str, AfterValidator(check_name)]


def _read_gpus(value: Any) -> Any:
    """The ids that are meant: a number stands for those that begin with 0."""
    rule = f'must be a number, or a list such as ["0", "1"], of {MOST_GPUS} GPUs at most'
    found = _decoded(value, rule)
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= MOST_GPUS:
        return tuple(map(str, range(found)))
    if not isinstance(found, list | tuple) or len(found) > MOST_GPUS:
        raise ValueError(rule)
    return gpus.check_ids(found)


def _read_ulimits(value: Any) -> Any:
    """Ceilings by name."""
    rule = "must be a table of ceilings by name, such as memlock = 67108864 in [ulimits]"
    found = _decoded(value, rule)
    if not isinstance(found, dict):
        raise ValueError(rule)
    for name in found:
        if name in ELSEWHERE:
            raise ValueError(f"{name} has no ceiling here: {ELSEWHERE[name]}")
        if name not in ulimits.UNITS:
            raise ValueError(f"{quoted(name)} is no limit; there are {', '.join(ulimits.UNITS)}")
    return found


def _read_networks(value: Any) -> Any:
    """A list of networks, each in the one form that it has."""
    rule = f'must be a list such as ["10.0.0.0/8"], of {MOST_NETWORKS} at most'
    found = _decoded(value, rule)
    if not isinstance(found, list | tuple) or len(found) > MOST_NETWORKS:
        raise ValueError(rule)
    return tuple(str(ip_network(each)) for each in map(str, found))


def _read_egress(value: Any) -> Any:
    """The networks that are meant."""
    match value:
        case "open":
            return OPEN
        case "none":
            return ()
        case str() if not value.lstrip().startswith("["):
            raise ValueError('must be "open", "none", or a list such as ["10.0.0.0/8"]')
        case _:
            return _read_networks(value)


def _own_user() -> tuple[str, ...]:
    uid = os.geteuid()
    return (str(uid),) if uid else ()


def _read_table(value: Any, info: ValidationInfo) -> Any:
    """A table, also as it stands in an environment variable."""
    return _decoded(value, f"must be an object such as {TABLES[info.field_name or '']}")


def _program(command: tuple[str, ...]) -> tuple[str, ...]:
    return command if len(command) < 2 else (command[0], "…")


class Secret(SecretRule):
    """A secret that the operator has, and where its value is to be had: that stands nowhere here."""

    model_config = ConfigDict(extra="forbid")

    file: Annotated[Path, AfterValidator(_check_absolute)] | None = None
    """What is in it is the value, as it stands."""
    command: Annotated[tuple[Word, ...], Field(min_length=1), PlainSerializer(_program)] | None = Field(
        None, repr=False
    )
    """What it prints is the value. The manager runs it, as itself and without a shell. Its arguments may be
    secret themselves: who shows settings, shows the program alone."""
    users: tuple[Users, ...] = Field(default_factory=_own_user)
    """By default the manager's own user alone, since whoever writes a job can have it print what it gets."""
    mask: bool = Field(True, strict=True)
    """Whether the logs of tasks that have it show *** in its place."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.command is None):
            raise ValueError("must have either file or command")
        return self


class Settings(BaseSettings, Policy):
    """How the manager behaves; what tasks may ask for by it, is a `Policy`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, allow_inf_nan=False)

    home: Path = Field(
        default_factory=home_folder,
        description="The folder with the jobs. Default: ./.air-executor.",
    )
    poll_interval: float = Field(
        5.0,
        ge=1,
        le=60,
        description="Seconds between two looks at the whole folder, or at whether it has changed. File "
        "events wake the manager earlier; this is for file systems without them.",
    )
    max_runners: int = Field(
        10, ge=1, le=1000, description="Containers that run at once, over all jobs. One costs about 20 MB."
    )
    look_ahead: int = Field(
        8,
        ge=0,
        le=1000,
        description="Containers that are made ahead of time, over all jobs, for tasks whose dependencies "
        "still run. Each waits at a gate for its task's turn, and costs about 20 MB meanwhile; 0: none.",
    )
    warm: int = Field(
        2,
        ge=0,
        le=1000,
        description="Containers that wait for the first tasks of jobs that nobody knows yet, two, and up to "
        "this many after jobs came: for the users whose jobs came last, and see warm_users. Each has a spare "
        "for the job's next task, and a container that holds their network: about 30 MB, 60 where the shims "
        "of the engine share no memory; 0: none, for nobody.",
    )
    max_tasks: int = Field(
        10_000,
        ge=1,
        le=MAX_TASKS,
        description="Tasks that one job may have, those it adds itself included: the end of tasks that "
        "queue themselves for ever.",
    )
    runner_image: Annotated[str, AfterValidator(check_image)] = Field(
        "air-executor-runner:latest", description="The image of tasks that do not name one."
    )
    pull: bool = Field(True, description="Whether an image that is missing is asked of its registry.")
    task_uid: int = Field(
        65534,
        ge=1,
        le=MAX_ID,
        description="User id (and group id) of tasks in jobs whose folder belongs to root; tasks of other "
        "jobs run as the folder's owner.",
    )
    cancel_grace: float = Field(
        10.0, ge=0, le=3600, description="Seconds between SIGTERM and SIGKILL when a task is to stop."
    )
    timeout: float = Field(
        1800.0,
        gt=0,
        le=366 * A_DAY,
        description="Seconds that a task's command may run, unless the task sets timeout.",
    )
    retry_memory_mb: int = Field(
        8192,
        ge=6,
        le=1 << 20,
        description="MiB up to which a task's retries.memory_factor may raise its memory.",
    )
    min_free_mb: int = Field(
        64,
        ge=0,
        le=1 << 30,
        description="Free space in the home folder, in MiB, below which no further container is launched; "
        "what runs goes on.",
    )
    sweep_after: float = Field(
        30.0,
        ge=0,
        le=A_DAY,
        description="Seconds for which a container of this home must have served nobody before it is "
        "removed.",
    )
    memory_mb: int | None = Field(
        None,
        ge=6,
        le=1 << 20,
        description="Memory of a task in MiB, unless it sets resources.memory_mb. Default: three quarters of "
        "the memory of the engine's host, shared by max_runners; 512 at least, 8192 at most. So all tasks "
        "together hardly need more than there is, and none is killed for what it could have had.",
    )
    cpus: float = Field(
        1.0, ge=0.01, le=1024, description="CPUs of a task, a hard limit, unless it sets resources.cpus."
    )
    pids: int = Field(
        256, ge=1, le=1 << 22, description="Processes and threads of a task, unless it sets resources.pids."
    )
    tmp_mb: int = Field(
        64, ge=1, le=1 << 20, description="Size of a task's /tmp in MiB; it counts as its memory."
    )
    log_mb: int = Field(
        16,
        ge=1,
        le=1024,
        description="Output of a task that is kept, in MiB: of more, the first three quarters and the last"
        " (of that, at most 8 MiB), with a word on how much is missing between them.",
    )
    networks: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_read_list)] = Field(
        (), description='Names of the engine\'s networks that tasks may ask for, as a list: ["db"].'
    )
    incomplete_after: float = Field(
        30.0,
        ge=1,
        le=A_DAY,
        description="Seconds after which a job folder without state.json or tasks.json is reported.",
    )
    settle: float = Field(
        2.0,
        ge=0,
        le=A_DAY,
        description="Seconds without a change after which a file that is not valid JSON counts as wrong, and "
        "not as half written.",
    )
    engine_timeout: float = Field(
        30.0,
        ge=1,
        le=3600,
        description="Seconds after which a call to the engine counts as failed and is repeated.",
    )
    users: Annotated[tuple[Users, ...], NoDecode, BeforeValidator(_read_list)] = Field(
        (),
        description="Who tasks may run as beside the owner of their job's folder (and task_uid, where that "
        'is root), as a list: "1000" (group 1000), "1000:100", "20000-29999" (each with the group of its '
        "number). Default: nobody else, because who writes a job acts as that user on this machine.",
    )
    groups: Annotated[tuple[GroupId, ...], NoDecode, BeforeValidator(_read_list)] = Field(
        (),
        description="Groups below 1000 that tasks have where their job's folder has them, as a list: [100]. "
        "Default: none, for these are the machine's own, such as docker's. Above that, a folder's group is "
        "its task's.",
    )
    max_memory_mb: int = Field(
        65_536,
        ge=6,
        le=1 << 20,
        description="MiB of memory that a task may ask for, or come to by retries.memory_factor; the "
        "setting memory_mb counts as this where it is more. Default: 64 GiB, a bound for what is absurd; "
        "lower it to what this machine can spare.",
    )
    max_cpus: float = Field(
        64.0,
        ge=0.01,
        le=1024,
        description="CPUs that a task may ask for; the setting cpus counts as this where it is more.",
    )
    max_pids: int = Field(
        4096,
        ge=1,
        le=1 << 22,
        description="Processes and threads that a task may ask for; the setting pids counts as this where it "
        "is more. A machine often has 32768 in all.",
    )
    max_timeout: float = Field(
        7 * A_DAY,
        gt=0,
        le=366 * A_DAY,
        description="Seconds that a task may ask for as its timeout; the setting timeout counts as this "
        "where it is more. Default: 7 days. What runs holds a runner.",
    )
    max_retries: int = Field(
        100,
        ge=0,
        le=100,
        description="Further attempts that a task may ask for. Default: what the format has.",
    )
    job_runners: int = Field(
        0,
        ge=0,
        le=1000,
        description="Runners that one job may hold at once, whatever its max_parallel. Default: 0, all of "
        "them; but for what tasks queue, which leave one to other jobs, where there are more than two.",
    )
    images: Annotated[tuple[Word, ...], NoDecode, BeforeValidator(_read_list)] = Field(
        ("*",),
        description='Images that tasks may ask for, as a list of patterns: ["debian:*", "ghcr.io/team/*"]. '
        "runner_image is always allowed. Default: any.",
    )
    queued_images: Annotated[tuple[Word, ...], NoDecode, BeforeValidator(_read_list)] = Field(
        (),
        description="Images that tasks may ask for when they queue others, in such patterns, beside their "
        "own, runner_image, and those of the tasks that the job was written with. None is ever pulled for "
        "that. Default: no others.",
    )
    registries: Annotated[tuple[Word, ...], NoDecode, BeforeValidator(_read_list)] = Field(
        ("public",),
        description="Registries that images which are missing may be pulled from, as a list of hosts or "
        'patterns, with the port where there is one: ["ghcr.io", "localhost:5000", "*.corp.example"]; '
        '"public", the default, is every public one: who names an image has the engine send requests to the '
        "host in its name, so private ones are named here. [] is none.",
    )

    job_uids: Annotated[str, AfterValidator(_check_job_uids)] = Field(
        "",
        description='A range of user ids that nobody else has, such as "100000-165535": every job gets one '
        "of its own from it (the group has the same number), which no other live job has, so that jobs share "
        "no limits that the kernel counts by user. Then no containers wait for jobs that nobody knows yet, "
        "and a job's files are not its folder's owner's. Default: none.",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """TOML's `true` would pass for 1."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError("must not be true or false")
        return value

    max_document_mb: int = Field(
        4,
        ge=1,
        le=MAX_BYTES >> 20,
        description="MiB of state.json and of tasks.json, each, that are read of a job that no manager has "
        "taken yet: room for some 12,000 tasks. While it is read, a document may take 20 times its size in "
        "memory.",
    )

    @property
    def bounds(self) -> Bounds:
        """How much is read of what strangers have written."""
        return Bounds(self.max_document_mb << 20, self.max_tasks)

    readers_group: int | None = Field(
        None,
        ge=0,
        le=2**31 - 1,
        description="Group id of the people who may read jobs, logs and what the manager says of itself; "
        "nobody else on this machine may, but for each job's owner. Default: the group of each job's folder, "
        "and for the rest that of the jobs folder: whoever makes jobs.",
    )
    egress: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_read_egress)] = Field(
        OPEN,
        description="What tasks may send to outside of their job, in networks `job` and `private`: `open`, "
        "the internet and the site's networks, but for the host, other containers, link-local addresses and "
        '`unreachable`; `none`; or a list of addresses and networks: ["10.1.2.0/24", "10.9.9.53"]. A list '
        "has to have the name servers in it, where names are to be resolved. For jobs whose network is "
        "made afterwards. The networks of `networks` are the operator's, and not touched.",
    )
    unreachable: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_read_networks)] = Field(
        ("100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::254/128"),
        description="Addresses and networks that tasks never send to, beside the host's and 169.254.0.0/16. "
        "Name servers may be asked. Default: where clouds tell machines about themselves.",
    )
    reachable: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_read_networks)] = Field(
        (),
        description="Addresses and networks that tasks may send to although they are the host's, other "
        "containers', link-local or in `unreachable`, unless `egress` is `none`. Jobs stay apart all the "
        "same: nothing comes into a job's network that it has not asked for.",
    )
    seccomp: Literal["strict", "engine"] = Field(
        "strict",
        description="Which system calls tasks may make. strict (default): no more than Docker's own profile "
        "lets containers without capabilities make, none that sets a setuid or setgid bit, and sockets of "
        "the unix, internet and netlink families only. engine: what the engine is configured with, for tasks "
        "that need more; then nothing keeps setuid files out of jobs' folders.",
    )
    open_files: int = Field(
        16_384,
        ge=64,
        le=1 << 20,
        description="Files that a process of a task may have open. Not more than the engine itself may have "
        "(its hard limit), or no container starts.",
    )
    job_disk_mb: int = Field(
        10_240,
        ge=1,
        le=1 << 30,
        description="MiB that one job may have on the disk, its output included. The kernel refuses a file "
        "that would be larger; a job with more in all its files together is stopped within seconds.",
    )
    job_inodes: int = Field(
        200_000,
        ge=100,
        le=1 << 30,
        description="Files and folders that one job may have on the disk; one with more is stopped within "
        "seconds. They run out like space, and then nobody can make a file any more.",
    )
    min_free_inodes: int = Field(
        1000,
        ge=0,
        le=1 << 30,
        description="Files for which the home folder's file system must have room, as min_free_mb; not "
        "heeded where the file system has no fixed number of them.",
    )
    reserve_mb: int = Field(
        16,
        ge=0,
        le=1024,
        description="MiB that are kept in the journal's folder, in four files each, and given up when the "
        "disk is full, so that what ends is still recorded; 0: none.",
    )
    tmp_exec: bool = Field(
        True,
        description="Whether what a task puts into /tmp may be executed and loaded. Default: yes, since many "
        "programs unpack native code there and load it, and a task can do the same in /work. With no, /tmp "
        "is mounted noexec.",
    )
    warm_users: int = Field(
        3,
        ge=1,
        le=16,
        description="Users for whom one container at least waits (see warm), although no job of theirs came "
        "of late: those whose jobs came last. So there are up to warm_users - 1 more than warm, about 30 MB "
        "each. They are remembered when the manager starts again; a home that has seen none begins with its "
        "owner, and with its Airflow's user. Default: 3, for Airflow, a person who writes jobs by hand, and "
        "task_uid. Not heeded with job_uids, where nobody knows a job's user before it comes.",
    )
    max_job_timeout: float = Field(
        0,
        ge=0,
        le=366 * A_DAY,
        description="Seconds that a job may take from when it is taken, all but its cleanup; one that asks "
        "for more as its timeout is refused, and one that asks for nothing gets this. Default: 0, no limit, "
        "since each of its tasks has one.",
    )
    max_priority: int = Field(
        0,
        ge=-100,
        le=100,
        description="Priority that a job may ask for, up to 100. Default: 0, which is that of jobs that say "
        "nothing: so a job may let others go first, and none can push others aside unless this allows it.",
    )

    result_kb: int = Field(
        256,
        ge=0,
        le=MAX_RESULT_BYTES >> 10,
        description="KiB of JSON that a task may leave as its result; 0: none is taken. Of all tasks of a "
        "job 16 MiB are kept. Default: 256, enough for values and lists of names; results stand in "
        "tasks.json, which people and Airflow read whole. Data belongs into files.",
    )
    outputs_mb: int = Field(
        10_240,
        ge=0,
        le=1 << 20,
        description="MiB of files, together, that may be listed as the outputs of one task; 0: none. Each is "
        "read to its end, at some 200 MB in a second, before dependants begin. Default: 10 GiB, what a job "
        "may have on the disk by default.",
    )
    max_stop_grace: float = Field(
        600.0,
        ge=0,
        le=A_DAY,
        description="Seconds that a task may ask for as its stop_grace; the setting cancel_grace counts as "
        "this where it is more. Default: ten minutes. What is being stopped holds its runner.",
    )
    require_digest: bool = Field(
        False,
        description="Whether images that tasks name must be named by digest (debian@sha256:…), so that "
        "nobody can put another one under the name; runner_image excepted. Default: no.",
    )
    docker_config: Path | None = Field(
        None,
        description="Docker's config.json, or the folder that it is in: with what it says of registries "
        "(`docker login`), images are pulled. It is read again for each pull. Default: where the environment "
        "variable DOCKER_CONFIG says, or ~/.docker.",
    )
    mounts: Annotated[dict[Name, DeclaredMount], NoDecode, BeforeValidator(_read_table)] = Field(
        {},
        max_length=1000,
        description="What of the host tasks may have mounted when they name it, each a table: "
        '[mounts.datasets] with path = "/srv/datasets", or volume = "name", or cache = true; read_only = '
        'false opens it to be written to, users = ["1000"] says whose tasks may have it (default: all), '
        'at = "/data" where it is (default: /mnt/datasets). '
        "Default: nothing, because it is the operator's to say what of the host may be seen.",
    )
    max_scratch_mb: int = Field(
        10_240,
        ge=0,
        le=1 << 30,
        description="MiB of scratch space that a task may ask for, in all its places together; 0: none. What "
        "of it is in memory counts as memory besides. Default: 10 GiB, what a job may have on the disk.",
    )

    gpus: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_read_gpus)] = Field(
        (),
        description="GPUs of the engine's host that tasks may ask for, by the ids that the engine takes: "
        '["0", "1"], ["GPU-8932f937"], or ["nvidia.com/gpu=0"] for CDI; a number n stands for "0" to "n-1". '
        "Each is given to one task at a time. Default: none, so a task that asks for one is refused: the "
        "operator knows which are free for tasks.",
    )
    ulimits: Annotated[dict[str, Ceiling], NoDecode, BeforeValidator(_read_ulimits)] = Field(
        {},
        description="Ceilings for the limits of processes that a task may set in `ulimits`, by their names "
        "as a table: [ulimits] memlock = 67108864 (units: docs/jobs/devices.md). Default: 0 for core, "
        "memlock, msgqueue, nice, rtprio and sigpending, which reach beyond the task; none for the others: "
        "who sets none of these has no such limit. open_files bounds nofile, and job_disk_mb bounds fsize.",
    )
    runtimes: Annotated[tuple[Runtime, ...], NoDecode, BeforeValidator(_read_list)] = Field(
        (),
        description="Runtimes of the engine that tasks may ask for, as a list of the names that its "
        'daemon.json gives them: ["runsc", "kata"]. Default: only the engine\'s own, since others may '
        "isolate less.",
    )
    secrets: Annotated[
        dict[SecretName, Secret], NoDecode, BeforeValidator(_read_table), Field(max_length=1000)
    ] = Field(
        {},
        description="Secrets that tasks may ask for by name, each a table: [secrets.db], and below it file = "
        '"/srv/secrets/db", or command = ["vault", "kv", "get", "-field=password", "secret/db"], which the '
        'manager runs, without a shell, for 10 seconds and 64 KiB at most; users = ["50000"], whose jobs may '
        "have it (default: the manager's own user alone, and root; whoever writes a job can print what it "
        "gets); mask = false, where logs are to show it (default: they have *** in its place). A value is "
        "read anew for each attempt. Default: none.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file; the file is the one in the home folder."""
        file = home_folder() / CONFIG_FILE
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)


def load() -> Settings:
    """The settings in force.

    Raises BadInput naming the setting, the rule and where it may be set.
    """
    file = home_folder() / CONFIG_FILE
    if file.exists() and not file.is_file():
        raise BadInput(
            "is not a regular file: settings are lines such as max_runners = 20 in one", where=file
        )
    try:
        settings = Settings()
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"is not TOML: {error}", where=file) from None
    except UnicodeDecodeError as error:
        raise BadInput(f"is not UTF-8: byte {error.start}; TOML is written in it", where=file) from None
    except OSError as error:
        raise BadInput(
            f"can't be read: {error.strerror}; the manager's user must be allowed to", where=file
        ) from None
    except ValidationError as error:
        raise _complaint(error, file) from None
    return settings.model_copy(update={"home": settings.home.absolute()})


def _complaint(error: ValidationError, file: Path) -> BadInput:
    first = error.errors(include_url=False)[0]
    setting, *place = [str(part) for part in first["loc"]] or [""]
    rule = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden" and not place:
        hint = did_you_mean(setting, Settings.model_fields)
        return BadInput(
            f"is no setting{hint or '; `air-executor config` lists them'}", field=setting, where=file
        )
    if first["type"] == "extra_forbidden":
        rule = f"is no key here{did_you_mean(place[-1], fields_at(Settings, (setting, *place[:-1])))}"
    elif first["type"] == "tuple_type":
        rule = f"must be a list such as {LISTS[place[-1] if place else setting]}"
    elif first["type"] == "bool_type":
        rule = "must be true or false"
    # What was to be a secret may stand in the wrong place: it is not repeated.
    shown = "" if setting == "secrets" else f", not {quoted(first.get('input'))}"
    return BadInput(
        f"{rule}{shown}; set it in {file} or as {PREFIX}{setting.upper()}",
        field=".".join((setting, *place)),
    )


def misspelt(environment: Mapping[str, str]) -> Iterator[str]:
    """What is said of variables that look like settings and are none: compose and tasks have some more."""
    settings = [name.upper() for name in Settings.model_fields]
    ours = (name.removeprefix(PREFIX) for name in sorted(environment) if name.startswith(PREFIX))
    for name in ours:
        if name not in (*settings, *OTHER_VARIABLES):
            nearest = get_close_matches(name, settings, 1, cutoff=0.75)
            meant = f"; did you mean {PREFIX}{nearest[0]}?" if nearest else ""
            yield f"{PREFIX}{name} is no setting, and changes nothing{meant}"
