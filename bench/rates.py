"""How many tasks and jobs are done in a second, beside the most that the engine can do, and what that costs.

The engine is asked by 2, 4, 8 and 16 threads, the manager runs as many containers at once (`max_runners`), in
turn; the best of each counts.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from air_executor import Client
from bench.ceiling import Ceiling, ceiling
from bench.engine_cpu import EngineCpu, engine_cpu
from bench.figures import Goal, Row, Sample, ratio_row
from bench.own_manager import completed, own_manager, seconds_for, usage_by

COUNT = 200
CROWD = 100
AT_ONCE = (2, 4, 8, 16)
WARM_UP = 10
SETTLE = 2.0
"""Seconds after which what a run has left to do is done."""
PATIENCE = 600.0
"""Seconds that a run may take."""

TASKS_GOAL, JOBS_GOAL = Goal("≥", 0.9), Goal("≥", 0.85)
WAIT_GOAL = Goal("≤", 2.0)
CPU_GOAL = Goal("≤", 10.0)


@dataclass(frozen=True, slots=True)
class Run:
    """COUNT × `true` in one job."""

    runners: int
    rate: float
    """Tasks per second, from `create_job` until `wait` returns."""
    manager_ms: float
    """CPU of the manager's process for each task."""
    engine_ms: float | None
    """CPU of the engine for each task; None where its processes can't be seen."""


def measure() -> Iterator[Row]:
    """In turn, so that both meet the same weather."""
    most: dict[int, float] = {}
    runs: list[Run] = []
    with ceiling() as engine:
        cpu = engine_cpu(engine.network)
        engine.containers_per_second(WARM_UP, 2)
        for count in AT_ONCE:
            most[count] = _ceiling(engine, count)
            runs.append(_run(count, cpu))
    for run in runs:
        yield _rate_row("as many at once", run, run.runners, most).numbered(5)
    threads = max(most, key=lambda count: most[count])
    best = max(runs, key=lambda run: run.rate)
    yield replace(_rate_row("the best of each", best, threads, most), goal=TASKS_GOAL).numbered(5)
    yield _cpu_row(best).numbered(11)
    against, rival = _beside(threads, most)
    yield from _crowd(best.runners, against, rival)


def _ceiling(engine: Ceiling, threads: int) -> float:
    time.sleep(SETTLE)
    return engine.containers_per_second(COUNT, threads)


def _run(runners: int, cpu: EngineCpu | None) -> Run:
    with own_manager(AIR_EXECUTOR_MAX_RUNNERS=str(runners)) as client:
        _warm_up(client)
        before, engine_before = usage_by(client).cpu_seconds, cpu.seconds() if cpu else 0.0
        seconds = seconds_for(client, "tasks", _tasks(COUNT), PATIENCE)
        time.sleep(SETTLE)
        manager = usage_by(client).cpu_seconds - before
        engine = cpu.seconds() - engine_before if cpu else None
    each = 1e3 / COUNT
    return Run(runners, COUNT / seconds, each * manager, None if engine is None else each * engine)


def _rate_row(which: str, run: Run, threads: int, most: Mapping[int, float]) -> Row:
    what = f"{COUNT} × `true` in one job, {which}: max_runners = {run.runners}"
    return ratio_row(what, Sample((run.rate,), "/s"), *_beside(threads, most))


def _beside(threads: int, most: Mapping[int, float]) -> tuple[str, Sample]:
    return f"the engine's own, asked by {threads} threads", Sample((most[threads],), "/s")


def _cpu_row(run: Run) -> Row:
    ours = Sample((run.manager_ms,), "ms")
    engine = Sample(() if run.engine_ms is None else (run.engine_ms,), "ms")
    percent = None if run.engine_ms is None else 100 * run.manager_ms / run.engine_ms
    return Row("manager's CPU for a task", ours, percent, "%", CPU_GOAL, "the engine's for it", engine)


def _crowd(runners: int, against: str, rival: Sample) -> Iterator[Row]:
    """Many jobs of one task, created one right after the other."""
    names = [f"job-{number}" for number in range(CROWD)]
    with own_manager(AIR_EXECUTOR_MAX_RUNNERS=str(runners)) as client:
        _warm_up(client)
        began = time.perf_counter()
        for name in names:
            client.create_job(name, _tasks(1))
        jobs = [completed(client, name, PATIENCE).job for name in names]
        seconds = time.perf_counter() - began
    what = f"{CROWD} jobs of one `true` at once, max_runners = {runners}"
    yield ratio_row(what, Sample((CROWD / seconds,), "/s"), against, rival, JOBS_GOAL).numbered(6)
    waits = Sample(tuple((job.updated_at - job.created_at).total_seconds() for job in jobs))
    longest = max(waits.values) / waits.median if waits.median else None
    what = "of these, created → completed: the longest / the median"
    yield Row(what, waits, longest, "", WAIT_GOAL).numbered(6)


def _warm_up(client: Client) -> None:
    seconds_for(client, "warm-up", _tasks(WARM_UP))
    time.sleep(SETTLE)


def _tasks(count: int) -> list[dict[str, object]]:
    return [{"id": f"task-{number}", "command": "true"} for number in range(count)]
