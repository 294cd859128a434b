"""The demo's three commands, each as a DockerOperator; and ten times `true`, one after the other."""

import os
from typing import Any

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk import DAG, chain

COMMON: dict[str, Any] = {
    "image": os.environ["BENCH_IMAGE"],
    "labels": dict([os.environ["BENCH_LABEL"].split("=")]),
    "mount_tmp_dir": False,
    "auto_remove": "success",
}

with DAG(dag_id="bench_docker_operators", schedule=None, catchup=False, is_paused_upon_creation=False):
    greet = DockerOperator(
        task_id="greet", command=["echo", "Hello from Airflow DAG run: {{ run_id }}"], **COMMON
    )
    process = DockerOperator(task_id="process", command=["sleep", "3"], **COMMON)
    complete = DockerOperator(
        task_id="complete", command=["echo", "Air-Executor job completed successfully!"], **COMMON
    )

    greet >> process >> complete

with DAG(dag_id="bench_ten_docker_operators", schedule=None, catchup=False, is_paused_upon_creation=False):
    chain(*(DockerOperator(task_id=f"step-{number}", command=["true"], **COMMON) for number in range(10)))
