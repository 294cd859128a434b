"""What ten thousand ended jobs in the folder cost, beside an empty folder."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from air_executor import Client
from bench.appears import seconds_to_appear
from bench.ended_jobs import fill
from bench.figures import Goal, Row, Sample, ratio_row
from bench.own_manager import manager_in, seconds_to_start, usage_by

COUNT = 10_000
STARTS = 3
SETTLE = 10.0
"""Seconds after a manager's start until it is at rest."""
IDLE = 15.0
"""Seconds for which its CPU is measured then."""
SAMPLES = 30

START_GOAL, CPU_GOAL = Goal("≤", 1.0), Goal("≤", 1.0)
RATIO_GOAL = Goal("≤", 1.2)
MEMORY_GOAL = Goal("≤", 100.0)
EMPTY = "an empty folder"


def measure() -> Iterator[Row]:
    """A manager for each of the two folders, in turn or both at once, so that both meet the same weather."""
    with TemporaryDirectory(prefix="air-executor-bench-") as folder:
        full, empty = Path(folder, "full"), Path(folder, "empty")
        full.mkdir()
        empty.mkdir()
        fill(full, COUNT)
        yield _start_row(full, empty)
        with manager_in(full) as mine, manager_in(empty) as rival:
            time.sleep(SETTLE)
            yield from _idle_rows(mine, rival)
            yield _appear_row(mine, rival)


def _start_row(full: Path, empty: Path) -> Row:
    starts = [(seconds_to_start(full), seconds_to_start(empty)) for _ in range(STARTS)]
    ours, rival = (Sample(times) for times in zip(*starts, strict=True))
    what = f"manager's start, {COUNT:,} ended jobs"
    return Row(what, ours, ours.median, "s", START_GOAL, EMPTY, rival).numbered(10)


def _idle_rows(mine: Client, rival: Client) -> Iterator[Row]:
    """CPU of the managers' processes while nothing happens, and their memory (VmRSS) afterwards."""
    clients = (mine, rival)
    before = [usage_by(client).cpu_seconds for client in clients]
    time.sleep(IDLE)
    after = [usage_by(client) for client in clients]
    spent = (now.cpu_seconds - then for now, then in zip(after, before, strict=True))
    cpu = [Sample((100 * seconds / IDLE,), "%") for seconds in spent]
    memory = [Sample((now.memory_mb,), "MB") for now in after]
    for what, (ours, other), goal in (
        ("manager's CPU at rest, of one core", cpu, CPU_GOAL),
        ("manager's memory", memory, MEMORY_GOAL),
    ):
        text = f"{what}, {COUNT:,} ended jobs"
        yield Row(text, ours, ours.median, ours.unit, goal, EMPTY, other).numbered(10)


def _appear_row(mine: Client, rival: Client) -> Row:
    for client in (mine, rival):
        seconds_to_appear(client, "warm-up")
    pairs = [
        tuple(1e3 * seconds_to_appear(client, f"job-{number}") for client in (mine, rival))
        for number in range(SAMPLES)
    ]
    ours, other = (Sample(times, "ms") for times in zip(*pairs, strict=True))
    what = f"job folder appears → first command runs, {COUNT:,} ended jobs"
    return ratio_row(what, ours, EMPTY, other, RATIO_GOAL).numbered(10)
