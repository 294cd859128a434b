"""What a manager without any job does: nothing, it should be."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.engine_calls import EVENTS, EngineCalls
from bench.figures import Goal, Row, Sample, median_row
from bench.own_manager import own_manager, usage_by

SETTLE = 15.0
"""Seconds after the manager's start until it is at rest: its first looks are over, its warm pool is full."""
IDLE = 20.0
"""Seconds that are measured then."""
CALLS_GOAL = Goal("≤", 0.0)
CPU_GOAL = Goal("≤", 0.5)


def measure() -> Iterator[Row]:
    """Through a door of ours to the engine, which counts the calls; it runs in this process."""
    with (
        TemporaryDirectory(prefix="air-executor-bench-") as folder,
        EngineCalls(Path(folder)) as calls,
        own_manager(DOCKER_HOST=calls.address) as client,
    ):
        time.sleep(SETTLE)
        known, before = len(calls.seen), usage_by(client).cpu_seconds
        time.sleep(IDLE)
        asked, after = calls.seen[known:], usage_by(client)
    cpu = Sample((100 * (after.cpu_seconds - before) / IDLE,), "%")
    yield _calls_row([call for call in asked if call != EVENTS]).numbered(12)
    yield median_row("no job: manager's CPU, of one core", cpu, CPU_GOAL).numbered(12)
    yield median_row("no job: manager's memory", Sample((after.memory_mb,), "MB")).numbered(12)


def _calls_row(calls: Sequence[str]) -> Row:
    what = f"no job: calls to the engine in {IDLE:.0f} s, the event stream not counted"
    which = ", ".join(f"{count} × `{call}`" for call, count in Counter(calls).items())
    number = Sample((float(len(calls)),), "calls")
    return Row(what, number, number.median, "calls", CALLS_GOAL, which)
