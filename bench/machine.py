"""What the figures were taken on."""

import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from bench.docker_cli import docker

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Machine:
    """Nothing here tells whose machine it is: no names, no paths."""

    cores: int
    memory_gib: int
    kernel: str
    load: float
    """Processes that wanted to run in the minute before we began, on average."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Those that matter."""

    engine: str
    runtime: str
    storage: str
    python: str
    airflow: str
    air_executor: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Machine and versions."""

    machine: Machine
    versions: Versions

    def __str__(self) -> str:
        machine, versions = self.machine, self.versions
        return (
            f"{machine.cores} cores, {machine.memory_gib} GiB, load {machine.load:.1f} at the start; "
            f"Linux {machine.kernel}; "
            f"Docker Engine {versions.engine} ({versions.runtime}, {versions.storage}), "
            f"Python {versions.python}, Airflow {versions.airflow}"
        )

    def document(self) -> dict[str, Any]:
        """For `results.json`."""
        return asdict(self)


def facts() -> Facts:
    """As they are now. Raises BenchFailed when no engine answers."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    runtime, driver = docker("info", "--format", "{{.DefaultRuntime}} {{.Driver}}").split()
    return Facts(
        Machine(
            cores=len(os.sched_getaffinity(0)),
            memory_gib=round(memory),
            kernel=platform.release(),
            load=round(os.getloadavg()[0], 1),
        ),
        Versions(
            engine=docker("version", "--format", "{{.Server.Version}}"),
            runtime=runtime,
            storage=driver,
            python=platform.python_version(),
            airflow=version("apache-airflow"),
            air_executor=version("air-executor"),
        ),
    )
