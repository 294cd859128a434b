"""Whether a task of a large job costs what one of a small job costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from air_executor import Client
from bench.figures import Goal, Row, Sample, ratio_row
from bench.own_manager import own_manager, seconds_for, usage_by

SMALL = 50
LARGE = (500, 5000)
ROUNDS = 5
"""Of the small job: it is over in seconds, so one alone may meet bad weather."""
GOAL = Goal("≤", 1.5)
PATIENCE = 1.0
"""Seconds that one task may take, at most."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one task, on average over its job."""

    wall_ms: float
    cpu_ms: float
    written_kb: float
    journal_kb: float
    memory_mb: float
    """Of the whole manager, when the job had ended."""


def measure() -> Iterator[Row]:
    """The small jobs first, so that the large ones find nothing warm that the small ones did not."""
    with own_manager() as client:
        _cost(client, "warm-up", 10)
        small = [_cost(client, f"small-{number}", SMALL) for number in range(ROUNDS)]
        for count in LARGE:
            yield from _rows(count, [_cost(client, f"large-{count}", count)], small)


def _cost(client: Client, name: str, count: int) -> Cost:
    before = usage_by(client)
    tasks = [{"id": f"task-{number}", "command": "true"} for number in range(count)]
    seconds = seconds_for(client, name, tasks, PATIENCE * count + 60)
    after = usage_by(client)
    return Cost(
        wall_ms=1e3 * seconds / count,
        cpu_ms=1e3 * (after.cpu_seconds - before.cpu_seconds) / count,
        written_kb=(after.written_bytes - before.written_bytes) / 1e3 / count,
        journal_kb=_journal_bytes(client, name) / 1e3 / count,
        memory_mb=after.memory_mb,
    )


def _journal_bytes(client: Client, name: str) -> int:
    return sum(file.stat().st_size for file in (client.store.home / "journal").rglob(f"{name}~*.journal"))


def _rows(count: int, large: Sequence[Cost], small: Sequence[Cost]) -> Iterator[Row]:
    def row(what: str, field: str, unit: str, goal: Goal | None = GOAL) -> Row:
        ours, rival = (
            Sample(tuple(getattr(cost, field) for cost in costs), unit) for costs in (large, small)
        )
        return ratio_row(f"{what}, {count:,} × `true`", ours, f"{SMALL} × `true`", rival, goal)

    yield row("wall clock of a task", "wall_ms", "ms")
    yield row("manager's CPU for a task", "cpu_ms", "ms")
    yield row("manager's writes for a task", "written_kb", "KB")
    yield row("what the journal keeps of a task", "journal_kb", "KB")
    yield row("manager's memory afterwards", "memory_mb", "MB", goal=None)
