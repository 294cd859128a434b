"""What a user of Airflow gets: ours beside DockerOperators and beside empty tasks, all in the same Airflow.

The times are Airflow's own, from the start of a run to its end; and, for the demo, from when it was queued.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.docker_cli import IMAGE, LABEL, sweep
from bench.figures import Goal, Row, Sample, overhead_row, ratio_row
from bench.own_airflow import OwnAirflow, RunTimes, own_airflow
from bench.own_manager import REPOSITORY, own_manager

ROUNDS = 5
OURS, DOCKER, EMPTY = "air_executor_demo", "bench_docker_operators", "bench_empty_tasks"
DEMO = (OURS, DOCKER, EMPTY)

TEN_ROUNDS = 3
TEN_OURS, TEN_DOCKER = "bench_ten_in_a_job", "bench_ten_docker_operators"
TEN = (TEN_OURS, TEN_DOCKER)

DAG_FILES = Path(__file__).with_name("dag_files")
FILES = (REPOSITORY / "dags" / "air_executor_demo.py", *sorted(DAG_FILES.glob("*.py")))

OVER_EMPTY, FASTER, TEN_GOAL = Goal("≤", 3.3), Goal("<", 1.0), Goal("≤", 0.4)

Runs = dict[str, list[RunTimes]]
"""The runs of each DAG."""


def measure() -> Iterator[Row]:
    """First those of three tasks, then those of ten."""
    label = f"{LABEL}={secrets.token_hex(8)}"
    with own_manager() as client:
        home = str(client.store.home)
        try:
            with own_airflow(FILES, AIR_EXECUTOR_HOME=home, BENCH_LABEL=label, BENCH_IMAGE=IMAGE) as airflow:
                airflow.wait_until_ready((*DEMO, *TEN))
                yield from _demo_rows(_in_turn(airflow, DEMO, ROUNDS))
                yield from _ten_rows(_in_turn(airflow, TEN, TEN_ROUNDS))
        finally:
            sweep(label)


def _in_turn(airflow: OwnAirflow, dags: Sequence[str], rounds: int) -> Runs:
    """Each once to warm up; then in turn, so that all meet the same weather."""
    for dag in dags:
        airflow.run_to_end(dag)
    runs: Runs = {dag: [] for dag in dags}
    for _ in range(rounds):
        for dag in dags:
            runs[dag].append(airflow.run_to_end(dag))
    return runs


def _demo_rows(runs: Runs) -> Iterator[Row]:
    from_start = _sample(runs, lambda run: run.start_to_end)
    from_queued = _sample(runs, lambda run: run.queued_to_end)
    docker, empty = "three DockerOperators", "three empty tasks"
    what = "demo DAG, start to end"
    yield overhead_row(f"{what}: longer by", from_start[OURS], empty, from_start[EMPTY], OVER_EMPTY).numbered(
        8
    )
    yield ratio_row(what, from_start[OURS], docker, from_start[DOCKER], FASTER).numbered(8)
    yield ratio_row("demo DAG, queued to end", from_queued[OURS], docker, from_queued[DOCKER]).numbered(8)


def _ten_rows(runs: Runs) -> Iterator[Row]:
    times = _sample(runs, lambda run: run.start_to_end)
    what, against = "a job of ten × `true` in a chain from Airflow, start to end", "ten DockerOperators"
    yield ratio_row(what, times[TEN_OURS], against, times[TEN_DOCKER], TEN_GOAL).numbered(9)


def _sample(runs: Runs, seconds: Callable[[RunTimes], float]) -> dict[str, Sample]:
    return {dag: Sample(tuple(map(seconds, of_dag))) for dag, of_dag in runs.items()}
