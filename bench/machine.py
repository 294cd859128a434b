"""What the figures were taken on."""

import os
from importlib.metadata import version
from platform import python_version

from bench.docker_cli import docker

GIB = 1 << 30


def facts() -> str:
    """One line: cores, memory, load before we begin, and the versions that matter.

    Raises BenchFailed when no engine answers.
    """
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    runtime, driver = docker("info", "--format", "{{.DefaultRuntime}} {{.Driver}}").split()
    return (
        f"{cores} cores, {memory:.0f} GiB, load {os.getloadavg()[0]:.1f} at the start; "
        f"Docker Engine {docker('version', '--format', '{{.Server.Version}}')} ({runtime}, {driver}), "
        f"Python {python_version()}, Airflow {version('apache-airflow')}"
    )
