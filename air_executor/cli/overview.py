"""What both systems are doing: gathered for `air-executor status`, quickly and whatever is down."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from air_executor import daemon
from air_executor.cli.airflow_status import AirflowStatus, look_at_airflow
from air_executor.client import Client
from air_executor.errors import BadInput
from air_executor.format.attempts import Phase
from air_executor.format.layout import STATE
from air_executor.format.limits import MAX_BYTES
from air_executor.format.models import JobState, JobView
from air_executor.store import JobFolder, Store
from air_executor.untrusted import NotItsOwn, NotRegular, TooLarge, opened_own, whole

_ORDER = {JobState.WORKING: 0, JobState.WAITING: 1, JobState.COMPLETED: 2, JobState.FAILED: 2}
"""What is going on is shown before what is over."""


@dataclass(frozen=True)
class ManagerInfo:
    """The manager of one home folder; `status` is what it said last, however long ago.

    `closed`: its words are not this user's to read.
    """

    home: Path
    running: bool
    status: daemon.ManagerStatus | None
    closed: bool = False


@dataclass(frozen=True)
class LiveContainer:
    """A container that serves an attempt right now: its command `runs`, or it is made for one that will."""

    name: str
    job: str
    task: str
    runs: bool
    since: datetime | None


@dataclass(frozen=True)
class JobsInfo:
    """Jobs by state, and the most interesting of them in full."""

    counts: Counter[JobState]
    shown: list[JobView]
    hidden: int
    """How many jobs are not in `shown`."""
    complaints: list[BadInput]
    closed: int
    """How many jobs are not this user's to read."""
    containers: list[LiveContainer]


@dataclass(frozen=True)
class Overview:
    """One look at everything."""

    manager: ManagerInfo
    jobs: JobsInfo
    airflow: AirflowStatus


def gather(client: Client, most_jobs: int) -> Overview:
    """One look at everything; at most `most_jobs` jobs are read in full, and those that are working."""
    with ThreadPoolExecutor(1) as pool:
        airflow = pool.submit(look_at_airflow, client.store.home)
        manager = look_at_manager(client.store.home)
        jobs = look_at_jobs(client.store, most_jobs)
        return Overview(manager, jobs, airflow.result())


def look_at_manager(home: Path) -> ManagerInfo:
    """Whether a manager runs, and its latest words."""
    try:
        status = daemon.read_status(home)
    except PermissionError:
        return ManagerInfo(home, running=False, status=None, closed=True)
    return ManagerInfo(home, status is not None and status.is_running(), status)


def look_at_jobs(store: Store, most: int) -> JobsInfo:
    """All jobs by state; those at work and up to `most` of the others in full.

    Reading 10,000 ended jobs in full would take many seconds, so the state decides first which are read.
    """
    peeks, unclear, closed = _peek_all(store.folders())
    peeks.sort(key=lambda peek: (_ORDER[peek.state], -peek.changed_ns))
    working = sum(peek.state is JobState.WORKING for peek in peeks)
    found = [peek.folder.look() for peek in peeks[: max(most, working)]]
    views = [view for view in found if isinstance(view, JobView)]
    found += [folder.look() for folder in unclear]
    return JobsInfo(
        counts=Counter(peek.state for peek in peeks),
        shown=views[:most],
        hidden=max(0, len(peeks) - most),
        complaints=[complaint for complaint in found if isinstance(complaint, BadInput)],
        closed=closed,
        containers=sorted(_containers(views), key=lambda each: (not each.runs, str(each.since))),
    )


@dataclass(frozen=True)
class _Peek:
    folder: JobFolder
    state: JobState
    changed_ns: int


def _peek(folder: JobFolder) -> _Peek:
    with folder.opened() as handle, opened_own(STATE, handle) as file:
        changed_ns = os.fstat(file).st_mtime_ns
        state = JobState(json.loads(whole(file, MAX_BYTES))["state"])
    return _Peek(folder, state, changed_ns)


def _peek_all(folders: Iterable[JobFolder]) -> tuple[list[_Peek], list[JobFolder], int]:
    """The state of each job, the folders where it is not clear, and how many are closed to this user."""
    peeks, unclear, closed = [], [], 0
    for folder in folders:
        try:
            peeks.append(_peek(folder))
        except PermissionError:
            closed += 1
        except (NotItsOwn, NotRegular, TooLarge, OSError, ValueError, KeyError, TypeError, RecursionError):
            unclear.append(folder)
    return peeks, unclear, closed


def _containers(views: Iterable[JobView]) -> Iterator[LiveContainer]:
    for view in views:
        if view.state.ended:  # what its files say of attempts may be its writer's words
            continue
        for task in view.tasks:
            for attempt in task.attempts:
                if attempt.undecided:
                    times = attempt.timings
                    since = times.started_at or times.container_started_at or times.created_at
                    runs = attempt.phase is Phase.RUNNING
                    yield LiveContainer(attempt.container.name, view.name, task.id, runs, since)
