"""Every setting, its default and its reason.

Read from the environment (`AIR_EXECUTOR_MAX_RUNNERS=20`) and from `config.toml` in the home folder
(`max_runners = 20`); the environment wins.
"""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from air_executor.errors import BadInput
from air_executor.store import home_folder

CONFIG_FILE = "config.toml"


def _read_list(value: Any) -> Any:
    """A list as it stands in an environment variable."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError('must be a list such as ["db"]') from None


class Settings(BaseSettings):
    """How the manager behaves."""

    model_config = SettingsConfigDict(env_prefix="AIR_EXECUTOR_", extra="forbid", frozen=True)

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
        description="Containers that wait for the first tasks of jobs that nobody knows yet: one, and up to "
        "this many after jobs came. Each has a spare for the job's next task, and a container that holds "
        "their network: about 60 MB; 0: none.",
    )
    max_tasks: int = Field(
        10_000,
        ge=1,
        description="Tasks that one job may have, those it adds itself included: the end of tasks that "
        "queue themselves for ever.",
    )
    runner_image: str = Field(
        "air-executor-runner:latest", description="The image of tasks that do not name one."
    )
    pull: bool = Field(True, description="Whether an image that is missing is asked of its registry.")
    task_uid: int = Field(
        65534,
        ge=1,
        description="User id (and group id) of tasks in jobs whose folder belongs to root; tasks of other "
        "jobs run as the folder's owner.",
    )
    cancel_grace: float = Field(
        10.0, ge=0, le=3600, description="Seconds between SIGTERM and SIGKILL when a task is to stop."
    )
    timeout: float = Field(
        1800.0, gt=0, description="Seconds that a task's command may run, unless the task sets timeout."
    )
    retry_memory_mb: int = Field(
        8192,
        ge=6,
        description="MiB up to which a task's retries.memory_factor may raise its memory.",
    )
    min_free_mb: int = Field(
        64,
        ge=0,
        description="Free space in the home folder, in MiB, below which no further container is launched; "
        "what runs goes on.",
    )
    sweep_after: float = Field(
        30.0,
        ge=0,
        description="Seconds for which a container of this home must have served nobody before it is "
        "removed.",
    )
    memory_mb: int = Field(
        512, ge=6, description="Memory of a task in MiB, unless it sets resources.memory_mb."
    )
    cpus: float = Field(
        1.0, ge=0.01, description="CPUs of a task, a hard limit, unless it sets resources.cpus."
    )
    pids: int = Field(
        256, ge=1, description="Processes and threads of a task, unless it sets resources.pids."
    )
    tmp_mb: int = Field(64, ge=1, description="Size of a task's /tmp in MiB; it counts as its memory.")
    log_mb: int = Field(
        16, ge=1, le=1024, description="Output of a task that is kept, in MiB; a cut is marked in the log."
    )
    networks: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_read_list)] = Field(
        (), description='Names of the engine\'s networks that tasks may ask for, as a list: ["db"].'
    )
    incomplete_after: float = Field(
        30.0,
        ge=1,
        description="Seconds after which a job folder without state.json or tasks.json is reported.",
    )
    settle: float = Field(
        2.0,
        ge=0,
        description="Seconds without a change after which a file that is not valid JSON counts as wrong, and "
        "not as half written.",
    )
    engine_timeout: float = Field(
        30.0, ge=1, description="Seconds after which a call to the engine counts as failed and is repeated."
    )
    job_disk_mb: int = Field(
        10_240,
        ge=1,
        description="MiB that one job may have on the disk, its output included. The kernel refuses a file "
        "that would be larger; a job with more in all its files together is stopped within seconds.",
    )
    job_inodes: int = Field(
        200_000,
        ge=100,
        description="Files and folders that one job may have on the disk; one with more is stopped within "
        "seconds. They run out like space, and then nobody can make a file any more.",
    )
    min_free_inodes: int = Field(
        1000,
        ge=0,
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
    try:
        settings = Settings()
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"is not TOML: {error}", where=file) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"{first['msg']}, not {first.get('input')!r}; set it in {file} or as AIR_EXECUTOR_{name.upper()}",
            field=name,
        ) from None
    return settings.model_copy(update={"home": settings.home.absolute()})
