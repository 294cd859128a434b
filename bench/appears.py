"""How long after a job's folder has appeared its first command runs, with a warm container at hand."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache

from air_executor import Client
from bench.failed import BenchFailed
from bench.figures import Goal, Row, Sample, median_row
from bench.own_manager import completed, own_manager

COUNT = 30
PAUSE = 1.5
"""Seconds before each job, for a warm container to be made."""
GOAL = Goal("≤", 15.0)


def measure() -> Iterator[Row]:
    """One job after the other; the first, which finds the manager just started, does not count."""
    with own_manager() as client:
        seconds_to_appear(client, "warm-up")
        times = [1e3 * seconds_to_appear(client, f"job-{number}") for number in range(COUNT)]
    yield median_row("job folder appears → first command runs", Sample(tuple(times), "ms"), GOAL).numbered(2)


def seconds_to_appear(client: Client, name: str) -> float:
    """Seconds from just before the rename by which the job's folder appears, to its command's start.

    The start is what `tasks.json` says in the end: the same machine's clock.
    """
    renames = _renames()
    time.sleep(PAUSE)
    client.create_job(name, [{"id": "only", "command": "true"}])
    appeared = renames.pop(str(client.store.folder(name).path))
    attempt = completed(client, name).tasks[0].attempt
    if attempt is None or attempt.timings.started_at is None:
        raise BenchFailed(f"the task of job {name} has no time of its start")
    return (attempt.timings.started_at - appeared).total_seconds()


@cache
def _renames() -> dict[str, datetime]:
    """When this process renamed something, by what it became; from the first call on.

    The client syncs files before the rename and a folder after it, so neither the beginning nor the end of
    its call is the moment. Python tells audit hooks of each rename, right before.
    """
    seen: dict[str, datetime] = {}

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename":
            seen[str(arguments[1])] = datetime.now(UTC)

    sys.addaudithook(note)
    return seen
