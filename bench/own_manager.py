"""A manager of our own, with the defaults, on a home folder of its own."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from air_executor import Client, JobView, WaitTimeout
from air_executor.clock import utc_now
from air_executor.daemon import STATUS, ManagerStatus, read_status
from bench.docker_cli import IMAGE, sweep
from bench.failed import BenchFailed
from bench.processes import Processes, clean_environment
from bench.usage import Usage, usage_of
from manager.model.container_spec import HOME_ID

REPOSITORY = Path(__file__).resolve().parents[1]
MANAGER = REPOSITORY / "run_manager.py"
SECONDS_TO_START = 30.0
SECONDS_TO_RUN = 120.0


@contextmanager
def own_manager(script: Path = MANAGER, **environment: str) -> Iterator[Client]:
    """A client whose manager says that the engine answers; nothing of either is left afterwards.

    `script` is what starts the manager; `environment` is added to its own.
    """
    with (
        TemporaryDirectory(prefix="air-executor-bench-") as folder,
        manager_in(Path(folder), script, **environment) as client,
    ):
        yield client


@contextmanager
def manager_in(folder: Path, script: Path = MANAGER, **environment: str) -> Iterator[Client]:
    """The same on the home folder `home` in `folder`, which may be there before and stays there."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (home / STATUS).unlink(missing_ok=True)  # the words of a manager before this one
    settings = clean_environment(AIR_EXECUTOR_HOME=str(home), AIR_EXECUTOR_RUNNER_IMAGE=IMAGE, **environment)
    try:
        with Processes(folder, settings) as processes:
            processes.start("manager", [sys.executable, str(script)])
            processes.wait_until("the manager's start", SECONDS_TO_START, lambda: _healthy(home))
            yield Client(home)
    finally:
        _sweep(home)


def seconds_to_start(folder: Path) -> float:
    """Seconds from starting a manager on `folder` until its status file says that the engine answers."""
    began = utc_now()
    with manager_in(folder) as client:
        return (status_of(client).updated_at - began).total_seconds()


def status_of(client: Client) -> ManagerStatus:
    """What the client's manager says about itself. Raises BenchFailed where it says nothing."""
    status = read_status(client.store.home)
    if status is None:
        raise BenchFailed("the manager does not say how it is")
    return status


def usage_by(client: Client) -> Usage:
    """What the client's manager has used so far."""
    return usage_of(status_of(client).pid)


def seconds_for(
    client: Client, name: str, tasks: Sequence[Mapping[str, Any]], patience: float = SECONDS_TO_RUN
) -> float:
    """Seconds from creating the job to seeing it completed, as a user of the library sees it.

    Raises BenchFailed when it does not complete, or not within `patience` seconds.
    """
    began = time.perf_counter()
    client.create_job(name, tasks)
    completed(client, name, patience)
    return time.perf_counter() - began


def completed(client: Client, name: str, patience: float = SECONDS_TO_RUN) -> JobView:
    """The job, waited for. Raises BenchFailed when it does not complete within `patience` seconds."""
    try:
        view = client.wait(name, patience)
    except WaitTimeout as error:
        raise BenchFailed(str(error)) from error
    if view.state != "completed":
        task = view.failed_task
        raise BenchFailed(f"job {name} failed: {task.error if task else view.job.failure}")
    return view


def _healthy(home: Path) -> bool:
    status = read_status(home)
    return status is not None and status.engine.startswith("Docker ")


def _sweep(home: Path) -> None:
    """Only what was interrupted leaves anything to sweep: the manager removes its own containers."""
    with suppress(FileNotFoundError):
        sweep(f"{HOME_ID}={(home / 'home-id').read_text().strip()}")
