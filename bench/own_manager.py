"""A manager of our own, with the defaults, on a home folder of its own."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from air_executor import Client, WaitTimeout
from air_executor.daemon import read_status
from bench.docker_cli import IMAGE, sweep
from bench.failed import BenchFailed
from bench.processes import Processes, clean_environment
from manager.container_spec import HOME_ID

REPOSITORY = Path(__file__).resolve().parents[1]
MANAGER = REPOSITORY / "run_manager.py"
SECONDS_TO_START = 30.0
SECONDS_TO_RUN = 120.0


@contextmanager
def own_manager(script: Path = MANAGER) -> Iterator[Client]:
    """A client whose manager says that the engine answers; nothing of either is left afterwards.

    `script` is what starts the manager.
    """
    with TemporaryDirectory(prefix="air-executor-bench-") as folder:
        home = Path(folder, "home")
        home.mkdir()
        environment = clean_environment(AIR_EXECUTOR_HOME=str(home), AIR_EXECUTOR_RUNNER_IMAGE=IMAGE)
        try:
            with Processes(Path(folder), environment) as processes:
                processes.start("manager", [sys.executable, str(script)])
                processes.wait_until("the manager's start", SECONDS_TO_START, lambda: _healthy(home))
                yield Client(home)
        finally:
            _sweep(home)


def seconds_for(
    client: Client, name: str, tasks: Sequence[Mapping[str, Any]], patience: float = SECONDS_TO_RUN
) -> float:
    """Seconds from creating the job to seeing it completed, as a user of the library sees it.

    Raises BenchFailed when it does not complete, or not within `patience` seconds.
    """
    began = time.perf_counter()
    client.create_job(name, tasks)
    try:
        view = client.wait(name, patience)
    except WaitTimeout as error:
        raise BenchFailed(str(error)) from error
    seconds = time.perf_counter() - began
    if view.state != "completed":
        task = view.failed_task
        raise BenchFailed(f"job {name} failed: {task.error if task else view.job.failure}")
    return seconds


def _healthy(home: Path) -> bool:
    status = read_status(home)
    return status is not None and status.engine.startswith("Docker ")


def _sweep(home: Path) -> None:
    """Only what was interrupted leaves anything to sweep: the manager removes its own containers."""
    with suppress(FileNotFoundError):
        sweep(f"{HOME_ID}={(home / 'home-id').read_text().strip()}")
