"""The demo DAG beside two others of three tasks in the same Airflow: DockerOperators, and empty tasks."""

import secrets
from collections.abc import Iterator
from pathlib import Path

from bench.docker_cli import IMAGE, LABEL, sweep
from bench.figures import Row, Sample
from bench.own_airflow import RunTimes, own_airflow
from bench.own_manager import REPOSITORY, own_manager

ROUNDS = 5
OURS, DOCKER, EMPTY = "air_executor_demo", "bench_docker_operators", "bench_empty_tasks"
DAGS = (OURS, DOCKER, EMPTY)
FILES = (
    REPOSITORY / "dags" / "air_executor_demo.py",
    Path(__file__).with_name("dag_files") / "docker_operators.py",
    Path(__file__).with_name("dag_files") / "empty_tasks.py",
)


def measure() -> Iterator[Row]:
    """Each once to warm up; then in turn, so that all meet the same weather."""
    label = f"{LABEL}={secrets.token_hex(8)}"
    with own_manager() as client:
        home = str(client.store.home)
        try:
            with own_airflow(FILES, AIR_EXECUTOR_HOME=home, BENCH_LABEL=label, BENCH_IMAGE=IMAGE) as airflow:
                airflow.wait_until_ready(DAGS)
                for dag in DAGS:
                    airflow.run_to_end(dag)
                rounds = [{dag: airflow.run_to_end(dag) for dag in DAGS} for _ in range(ROUNDS)]
        finally:
            sweep(label)
        yield from _rows(rounds)


def _rows(rounds: list[dict[str, RunTimes]]) -> Iterator[Row]:
    from_start = {dag: Sample(tuple(times[dag].start_to_end for times in rounds)) for dag in DAGS}
    from_queued = {dag: Sample(tuple(times[dag].queued_to_end for times in rounds)) for dag in DAGS}
    for rival, name, goal in ((DOCKER, "three DockerOperators", 1.0), (EMPTY, "three empty tasks", None)):
        yield Row("demo DAG, start to end", from_start[OURS], name, from_start[rival], goal)
        yield Row("demo DAG, queued to end", from_queued[OURS], name, from_queued[rival])
