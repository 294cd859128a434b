"""How many tasks and jobs are done in a second, beside the most that the engine can do, and what that costs.

The engine is asked by 2, 4, 8 and 16 threads, the manager runs as many containers at once (`max_runners`), in
turn; then the best number of threads and the best of runners, in turn again, and that counts.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from air_executor import Client
from bench.ceiling import Ceiling, ceiling
from bench.engine_cpu import EngineCpu, engine_cpu
from bench.figures import Goal, Row, Sample, ratio_row
from bench.own_manager import completed, own_manager, seconds_for, usage_by

COUNT = 200
CROWD = 100
AT_ONCE = (2, 4, 8, 16)
ROUNDS = 3
"""Of the best number of each."""
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
    runs: dict[int, Run] = {}
    with ceiling() as engine:
        cpu = engine_cpu(engine.network)
        engine.containers_per_second(WARM_UP, 2)
        for count in AT_ONCE:
            most[count], runs[count] = _ceiling(engine, count), _run(count, cpu)
            yield _rate_row([runs[count]], count, [most[count]]).numbered(5)
        threads = max(most, key=lambda count: most[count])
        runners = max(runs, key=lambda count: runs[count].rate)
        pairs = [(_ceiling(engine, threads), _run(runners, cpu)) for _ in range(ROUNDS)]
        time.sleep(SETTLE)
        networks = engine.networks_per_second(CROWD, threads)
    rates, best = [rate for rate, _ in pairs], [run for _, run in pairs]
    yield replace(_rate_row(best, threads, rates), goal=TASKS_GOAL).numbered(5)
    yield _cpu_row(best).numbered(11)
    yield from _crowd(runners, threads, rates, networks)


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


def _rate_row(runs: Sequence[Run], threads: int, rates: Sequence[float]) -> Row:
    what = f"{COUNT} × `true` in one job, max_runners = {runs[0].runners}"
    return ratio_row(what, Sample(tuple(run.rate for run in runs), "/s"), *_beside(threads, rates))


def _beside(threads: int, rates: Sequence[float]) -> tuple[str, Sample]:
    return f"the engine's own, asked by {threads} threads", Sample(tuple(rates), "/s")


def _cpu_row(runs: Sequence[Run]) -> Row:
    """As a share of the engine's, in the same runs."""
    ours = Sample(tuple(run.manager_ms for run in runs), "ms")
    engine = Sample(tuple(run.engine_ms for run in runs if run.engine_ms is not None), "ms")
    share = ratio_row("manager's CPU for a task", ours, "the engine's for it", engine, CPU_GOAL)
    return replace(share, figure=None if share.figure is None else 100 * share.figure, unit="%")


def _crowd(runners: int, threads: int, rates: Sequence[float], networks: float) -> Iterator[Row]:
    """Many jobs of one task, created one right after the other.

    Jobs share no network, so the engine has more to do for each than it has for a task: that is the limit.
    """
    names = [f"job-{number}" for number in range(CROWD)]
    with own_manager(AIR_EXECUTOR_MAX_RUNNERS=str(runners)) as client:
        _warm_up(client)
        began = time.perf_counter()
        for name in names:
            client.create_job(name, _tasks(1))
        jobs = [completed(client, name, PATIENCE).job for name in names]
        seconds = time.perf_counter() - began
    what = f"{CROWD} jobs of one `true` at once, max_runners = {runners}"
    ours = Sample((CROWD / seconds,), "/s")
    yield ratio_row(what, ours, *_beside(threads, rates), JOBS_GOAL).numbered(6)
    against = f"the engine's own with a network for each, asked by {threads} threads"
    yield ratio_row(what, ours, against, Sample((networks,), "/s")).numbered(6)
    waits = Sample(tuple((job.updated_at - job.created_at).total_seconds() for job in jobs))
    longest = max(waits.values) / waits.median if waits.median else None
    what = "of these, created → completed: the longest / the median"
    yield Row(what, waits, longest, "", WAIT_GOAL).numbered(6)


def _warm_up(client: Client) -> None:
    seconds_for(client, "warm-up", _tasks(WARM_UP))
    time.sleep(SETTLE)


def _tasks(count: int) -> list[dict[str, object]]:
    return [{"id": f"task-{number}", "command": "true"} for number in range(count)]
