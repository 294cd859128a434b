"""The whole stack for tests: a Compose project, port and home folder of its own, beside any that runs."""

import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from testcontainers.compose import DockerCompose

from air_executor import Client, JobView, Task
from air_executor.airflow_api import PASSWORDS_FILE, USER, AirflowApi, Run

REPOSITORY = Path(__file__).resolve().parents[2]
DEMO = "air_executor_demo"
CREATE, WAIT, RESULTS = (
    "create_air_executor_job",
    "wait_for_air_executor_completion",
    "get_air_executor_results",
)


@dataclass
class Stack(DockerCompose):
    """`docker compose up airflow manager`, as a person types it, with other names."""

    project: str = ""
    home: Path = Path()
    port: int = 0
    dags: Path = REPOSITORY / "dags"
    services: list[str] | None = field(default_factory=lambda: ["airflow", "manager"])
    compose_file_name: list[str] = field(
        default_factory=lambda: ["compose.yaml", str(Path(__file__).with_name("impatient.yaml"))]
    )

    @property
    def settings(self) -> dict[str, str]:
        """What .env.example lists; in the environment it wins over a person's own .env."""
        return {
            "COMPOSE_PROJECT_NAME": self.project,
            "AIR_EXECUTOR_HOME": str(self.home),
            "AIR_EXECUTOR_DAGS": str(self.dags),
            "AIR_EXECUTOR_UID": "",
            "AIRFLOW_ADDRESS": "127.0.0.1",
            "AIRFLOW_PORT": str(self.port),
            # Waits hold a worker each, and the tests let many of them wait at once.
            "AIRFLOW_PARALLELISM": "16",
        }

    @cached_property
    def compose_command_property(self) -> list[str]:
        # Not through os.environ: other tests in this process have homes of their own.
        return [
            "env",
            *(f"{key}={value}" for key, value in self.settings.items()),
            *super().compose_command_property,
        ]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def password(self) -> str:
        """The one that the entry point generated for `admin`."""
        return str(json.loads((self.home / PASSWORDS_FILE).read_text())[USER])

    @cached_property
    def api(self) -> AirflowApi:
        return AirflowApi(self.address, USER, self.password, timeout=60)

    @property
    def client(self) -> Client:
        return Client(self.home)

    def finish(self, dag: str, run_id: str, timeout: float = 120) -> Run:
        """Wait until the run has ended; the run as it then is."""
        deadline = time.monotonic() + timeout
        while not (run := self.api.run(dag, run_id)).ended:
            assert time.monotonic() < deadline, f"{run} has not ended after {timeout:g} s"
            time.sleep(0.2)
        return run

    def job(self, name: str) -> JobView:
        return self.client.status(name)

    def clear(self, dag: str, run_id: str, task: str) -> None:
        """Clear the task and what comes after it, as the button in the UI does."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task],
            "include_downstream": True,
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self._call("POST", f"/dags/{dag}/clearTaskInstances", body)

    def mark_failed(self, dag: str, run_id: str, task: str) -> None:
        """Mark the task failed, as the button in the UI does; a running one is killed for it."""
        path = f"/dags/{dag}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task}"
        self._call("PATCH", path, {"new_state": "failed"})

    def instance(self, dag: str, run_id: str, task: str) -> dict[str, Any]:
        """The task instance, with all that Airflow tells of it."""
        path = f"/dags/{dag}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task}"
        answer: dict[str, Any] = self._call("GET", path)
        return answer

    def in_airflow(self, script: str) -> str:
        """What the shell script says in Airflow's container, as root."""
        return docker("exec", self.get_container("airflow").ID, "sh", "-c", script)

    def started_at(self, service: str) -> str:
        return self._inspect(service, "{{.State.StartedAt}}")

    def health(self, service: str) -> str:
        return self._inspect(service, "{{.State.Health.Status}}")

    def _inspect(self, service: str, template: str) -> str:
        label = f"label=com.docker.compose.project={self.project}"
        name = f"label=com.docker.compose.service={service}"
        container = docker("ps", "-a", "--quiet", "--filter", label, "--filter", name).strip()
        return docker("inspect", "--format", template, container).strip()

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What AirflowApi has no method for, because only tests need it."""
        return self.api._ask(method, path, json=body)

    def take_down(self) -> None:
        """`make down`."""
        subprocess.run(
            [str(REPOSITORY / "setup" / "down.sh")], env=os.environ | self.settings, check=True, timeout=120
        )

    def containers_of(self, job: str) -> list[str]:
        """The containers that the engine has of this job, ended ones too."""
        label = f"label=air-executor.job={job}"
        return docker("ps", "-a", "--format", "{{.Names}}", "--filter", label).split()

    def leftovers(self) -> list[str]:
        """What the engine still has of this stack, or of the tasks that its manager ran."""
        project = f"label=com.docker.compose.project={self.project}"
        left = [
            f"{kind} {name}"
            for kind, command in (
                ("container", ["ps", "-a", "--format", "{{.Names}}"]),
                ("network", ["network", "ls", "--format", "{{.Name}}"]),
                ("volume", ["volume", "ls", "--format", "{{.Name}}"]),
            )
            for label in (project, f"label=air-executor.home-id={self.home_id}")
            for name in docker(*command, "--filter", label).split()
        ]
        return sorted(set(left))

    @property
    def home_id(self) -> str:
        file = self.home / "home-id"
        return file.read_text().strip() if file.exists() else "none"

    def diagnosis(self) -> str:
        """What a person needs who sees a test fail and can't log in to the machine."""
        parts = [docker("ps", "-a", "--filter", f"label=com.docker.compose.project={self.project}")]
        names = docker(
            "ps",
            "-a",
            "--format",
            "{{.Names}}",
            "--filter",
            f"label=com.docker.compose.project={self.project}",
        )
        for name in names.split():
            parts += [f"--- log of {name}", docker("logs", "--tail", "80", name)]
            parts += [f"--- state of {name}", docker("inspect", "--format", "{{json .State}}", name)]
        log = self.home / "manager.log"
        parts += [
            f"--- {log}",
            "\n".join(log.read_text().splitlines()[-80:]) if log.exists() else "not there",
        ]
        return "\n".join(parts)


def docker(*arguments: str) -> str:
    """What a docker command prints, errors included."""
    done = subprocess.run(
        ["docker", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
    )
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def last_attempt(task: Task) -> Any:
    assert task.attempts, f"{task.id} was never tried"
    return task.attempts[-1]
