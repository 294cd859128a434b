"""An Airflow of our own on this machine: four parts, LocalExecutor, SQLite (one run at a time)."""

import json
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from air_executor.airflow_api import USER, AirflowApi, AirflowNotFound, AirflowUnavailable
from bench.failed import BenchFailed
from bench.processes import Processes, clean_environment

PARTS = {
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
ADDRESS = "127.0.0.1"
SECONDS_TO_START = 120.0
SECONDS_TO_RUN = 120.0
PATIENCE = 60.0
"""Seconds that one answer may take: on a busy machine Airflow's first ones are slow."""
LOOK = 0.25
"""Seconds between two looks at a run. The times are Airflow's own, so this costs nothing but its effort."""


@dataclass(frozen=True, slots=True)
class RunTimes:
    """When a run of a DAG was queued, began and ended, as Airflow has it."""

    queued_at: datetime
    started_at: datetime
    ended_at: datetime

    @property
    def start_to_end(self) -> float:
        """Seconds."""
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def queued_to_end(self) -> float:
        """Seconds."""
        return (self.ended_at - self.queued_at).total_seconds()


class OwnAirflow(AirflowApi):
    """Runs DAGs to their end, one at a time."""

    def __init__(self, base_url: str, password: str, processes: Processes) -> None:
        super().__init__(base_url, USER, password, timeout=PATIENCE)
        self._processes = processes

    def wait_until_ready(self, dags: Sequence[str]) -> None:
        """Until all four parts are healthy and the DAGs are known. Raises BenchFailed."""
        self._processes.wait_until("Airflow's start", SECONDS_TO_START, self._healthy)
        for dag in dags:
            self._processes.wait_until(f"the DAG {dag}", SECONDS_TO_START, partial(self._knows, dag))

    def run_to_end(self, dag: str) -> RunTimes:
        """Run it once, now. Raises BenchFailed, with the log of the task that failed."""
        run_id = self.trigger(dag)
        deadline = time.monotonic() + SECONDS_TO_RUN
        while not (run := self.run(dag, run_id)).ended:
            if time.monotonic() > deadline:
                raise self._processes.failure(f"{dag} did not end in {SECONDS_TO_RUN:.0f} s", "scheduler")
            time.sleep(LOOK)
        if run.state != "success":
            raise BenchFailed(f"a run of {dag} failed\n{self._failed_log(dag, run_id)}")
        answer = self._ask("GET", f"/dags/{dag}/dagRuns/{quote(run_id, safe='')}")
        return RunTimes(
            *(datetime.fromisoformat(answer[key]) for key in ("queued_at", "start_date", "end_date"))
        )

    def _healthy(self) -> bool:
        try:
            return self.health().healthy
        except AirflowUnavailable:
            return False

    def _knows(self, dag: str) -> bool:
        try:
            self.unpause(dag)
        except (AirflowNotFound, AirflowUnavailable):
            return False
        return True

    def _failed_log(self, dag: str, run_id: str) -> str:
        failed = [task for task in self.task_instances(dag, run_id) if task.state == "failed"]
        return "\n".join(
            f"{task.task_id}:\n{self.log(dag, run_id, task.task_id, task.try_number)}" for task in failed
        )


@contextmanager
def own_airflow(dag_files: Sequence[Path], **environment: str) -> Iterator[OwnAirflow]:
    """Airflow with copies of these DAG files; its processes and folders are gone afterwards.

    `environment` is added to that of its processes.
    """
    with TemporaryDirectory(prefix="air-executor-bench-airflow-") as name:
        folder = Path(name)
        dags = folder / "dags"
        dags.mkdir()
        for file in dag_files:
            shutil.copy(file, dags)
        password, port = secrets.token_urlsafe(15), _free_port()
        passwords = folder / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({USER: password}))
        settings = clean_environment(**environment, **_settings(folder, dags, passwords, port))
        with Processes(folder, settings) as processes:
            airflow = (sys.executable, "-m", "airflow")
            processes.run("db-migrate", (*airflow, "db", "migrate"))
            processes.start("api-server", (*airflow, "api-server", "--host", ADDRESS, "--port", str(port)))
            for part, command in PARTS.items():
                processes.start(part, (*airflow, *command))
            with closing(OwnAirflow(f"http://{ADDRESS}:{port}", password, processes)) as api:
                yield api


def _settings(folder: Path, dags: Path, passwords: Path, port: int) -> dict[str, str]:
    """The scheduler sleeps as briefly as in the stack (compose/airflow.yaml), for all DAGs alike."""
    return {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__API__BASE_URL": f"http://{ADDRESS}:{port}",
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(32),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{ADDRESS}:{port}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
    }


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])
