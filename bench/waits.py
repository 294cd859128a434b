"""How long a task that is ready waits for its command to run, and how long after the one before it.

The tasks of a chain last long enough for a container to be made ahead. One chain runs at a time, as one
`docker run` does: what a busy machine adds to both, rows 5 and 6 show. Single-task jobs between them, with
pauses, find the warm containers. `docker run` in between is the rival.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from air_executor import Client
from air_executor.format.attempts import Attempt, Timings
from air_executor.format.models import Task
from bench.docker_cli import LABEL, seconds_to_run_true, sweep
from bench.failed import BenchFailed
from bench.figures import Goal, Row, Sample, faster_row, median_row, p99_row
from bench.own_manager import completed, own_manager

LENGTH = 20
NAP = 0.5
"""Seconds that a task of a chain lasts."""
SINGLES = 4
PAUSE = 1.0
"""Seconds before each single-task job and each `docker run`: the machine is quiet, the warm pool is full."""
RIVALS = 3
"""Times that `docker run` is measured in each round."""
ENOUGH = 200
MOST_ROUNDS = 12

P50, P99, TIMES = Goal("≤", 5.0), Goal("≤", 30.0), Goal("≥", 40.0)
HAND_OVER = Goal("≤", 40.0)


@dataclass(slots=True)
class Waits:
    """All in milliseconds."""

    prepared: list[float] = field(default_factory=list)
    """Ready to started, where a container was waiting: the attempt's `start` is warm or ahead."""
    others: list[float] = field(default_factory=list)
    """Ready to started, where none was."""
    hand_overs: list[float] = field(default_factory=list)
    """From the end of the last dependency to the start, of every task that has one."""
    rival: list[float] = field(default_factory=list)

    def note(self, tasks: Sequence[Task]) -> None:
        """Take in the tasks of a job that has completed."""
        ends = {task.id: _timings(task).finished_at for task in tasks}
        for task in tasks:
            timings = _timings(task)
            if timings.started_at is None or timings.ready_at is None:
                raise BenchFailed(f"task {task.id} of job {task.job_name} has no times")
            waited = self.prepared if _attempt(task).start in ("warm", "ahead") else self.others
            waited.append(1e3 * (timings.started_at - timings.ready_at).total_seconds())
            before = [end for name in task.dependencies if (end := ends[name]) is not None]
            if before:
                self.hand_overs.append(1e3 * (timings.started_at - max(before)).total_seconds())


def measure() -> Iterator[Row]:
    """Round by round, until there are enough samples, or too many rounds."""
    waits = Waits()
    label = f"{LABEL}={secrets.token_hex(8)}"
    with own_manager() as client:
        try:
            for number in range(MOST_ROUNDS):
                _round(client, number, label, waits)
                if len(waits.prepared) >= ENOUGH:
                    break
        finally:
            sweep(label)
    yield from _rows(waits)


def _round(client: Client, number: int, label: str, waits: Waits) -> None:
    client.create_job(f"chain-{number}", _chain())
    waits.note(completed(client, f"chain-{number}").tasks)
    for index in range(SINGLES):
        time.sleep(PAUSE)
        client.create_job(f"single-{number}-{index}", [{"id": "only", "command": "true"}])
        waits.note(completed(client, f"single-{number}-{index}").tasks)
    for _ in range(RIVALS):
        time.sleep(PAUSE)
        waits.rival.append(1e3 * seconds_to_run_true(label))


def _chain() -> list[dict[str, object]]:
    return [
        {
            "id": f"step-{number}",
            "command": "sleep",
            "args": [f"{NAP:g}"],
            "dependencies": [f"step-{number - 1}"] if number else [],
        }
        for number in range(LENGTH)
    ]


def _rows(waits: Waits) -> Iterator[Row]:
    prepared, rival = Sample(tuple(waits.prepared), "ms"), Sample(tuple(waits.rival), "ms")
    what = "ready → command runs, warm or ahead"
    yield median_row(f"{what}: p50", prepared, P50, ENOUGH).numbered(1)
    yield p99_row(f"{what}: p99", prepared, P99, ENOUGH).numbered(1)
    against = "`docker run --rm IMAGE true`"
    yield faster_row(f"{what}: times faster", prepared, against, rival, TIMES, ENOUGH).numbered(1)
    yield median_row("ready → command runs, cold", Sample(tuple(waits.others), "ms")).numbered(1)
    hand_overs = Sample(tuple(waits.hand_overs), "ms")
    yield median_row("end of a task → its dependant's command runs", hand_overs, HAND_OVER).numbered(3)


def _attempt(task: Task) -> Attempt:
    if task.attempt is None:
        raise BenchFailed(f"task {task.id} of job {task.job_name} has completed without an attempt")
    return task.attempt


def _timings(task: Task) -> Timings:
    return _attempt(task).timings
