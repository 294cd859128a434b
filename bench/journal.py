"""What it costs that decisions are on disk before they are acted on: beside a manager that never syncs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from air_executor import Client
from bench.chain import LENGTH
from bench.chain import TASKS as CHAIN
from bench.failed import BenchFailed
from bench.figures import Row, Sample, ratio_row
from bench.own_manager import own_manager, seconds_for

UNSYNCED = Path(__file__).with_name("unsynced_manager.py")
COUNT = 100
ROUNDS = 3

AT_ONCE = [{"id": f"task-{number}", "command": "true"} for number in range(COUNT)]


@dataclass(slots=True)
class Times:
    """One manager's."""

    waits: list[float] = field(default_factory=list)
    """Milliseconds from ready to started in a chain, the median of each round."""
    chains: list[float] = field(default_factory=list)
    at_once: list[float] = field(default_factory=list)


def measure() -> Iterator[Row]:
    """In turn, so that both meet the same weather."""
    ours, rival = Times(), Times()
    with own_manager() as synced, own_manager(UNSYNCED) as unsynced:
        for client in (synced, unsynced):
            seconds_for(client, "warm-up", CHAIN)
        for number in range(ROUNDS):
            _round(synced, number, ours)
            _round(unsynced, number, rival)
    without = "without syncs"
    waits = Sample(tuple(ours.waits), "ms"), Sample(tuple(rival.waits), "ms")
    yield ratio_row(f"a step of {LENGTH} × `true` in a chain, ready to started", waits[0], without, waits[1])
    for what, mine, other in (
        (f"{LENGTH} × `true` in a chain", ours.chains, rival.chains),
        (f"{COUNT} × `true` at once", ours.at_once, rival.at_once),
    ):
        yield ratio_row(what, Sample(tuple(mine)), without, Sample(tuple(other)))


def _round(client: Client, number: int, times: Times) -> None:
    times.chains.append(seconds_for(client, f"chain-{number}", CHAIN))
    times.waits.append(median(_waits(client, f"chain-{number}")))
    times.at_once.append(seconds_for(client, f"at-once-{number}", AT_ONCE))


def _waits(client: Client, name: str) -> Iterator[float]:
    """Milliseconds from ready to started, of each task that had another before it."""
    for task in client.status(name).tasks:
        if not task.dependencies:
            continue
        timings = task.attempts[-1].timings
        if timings.ready_at is None or timings.started_at is None:
            raise BenchFailed(f"task {task.id} of job {name} has no times")
        yield 1e3 * (timings.started_at - timings.ready_at).total_seconds()
