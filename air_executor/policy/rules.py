"""The operator's rules for what tasks may ask for, by the names of the settings."""

import math
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from air_executor.format.mounts import MountRule
from air_executor.format.secrets import SecretRule


class Policy(BaseModel):
    """Each field is the setting of that name. What a manager does not tell of, it decides by itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    runner_image: str = ""
    images: tuple[str, ...] = ("*",)
    networks: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[int, ...] = ()
    task_uid: int = 65534
    job_uids: str = ""
    max_memory_mb: float = math.inf
    max_cpus: float = math.inf
    max_pids: float = math.inf
    max_timeout: float = math.inf
    max_retries: float = math.inf
    max_tasks: float = math.inf
    job_disk_mb: float = math.inf
    job_inodes: float = math.inf
    pull: bool = True
    require_digest: bool = False
    cancel_grace: float = math.inf
    max_stop_grace: float = math.inf
    max_job_timeout: float = 0
    max_priority: float = math.inf
    memory_mb: float | None = None
    gpus: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    ulimits: Mapping[str, int] = {}
    open_files: float = math.inf
    mounts: Mapping[str, MountRule] = {}
    secrets: Mapping[str, SecretRule] = {}
    max_scratch_mb: float = math.inf
    result_kb: float = math.inf
    outputs_mb: float = math.inf
