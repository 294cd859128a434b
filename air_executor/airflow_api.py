"""A small client for Airflow's REST API: as much of it as starts a run, follows it and reads its logs.

It imports nothing of Airflow, so it works wherever the library does.

    api = find_airflow()
    run_id = api.trigger("air_executor_demo")
    print(api.run("air_executor_demo", run_id).state)
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from air_executor.errors import AirExecutorError
from air_executor.store import HOME_VARIABLE, home_folder

DEFAULT_PORT = 8080
USER = "admin"
PASSWORDS_FILE = Path("airflow", "simple_auth_manager_passwords.json")
HEALTH_PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
ENDED = frozenset({"success", "failed"})


class AirflowError(AirExecutorError):
    """Airflow refused what was asked; the message says what, and what can be done."""


class AirflowUnavailable(AirflowError):
    """Airflow does not answer, or is not ready."""


class AirflowNotFound(AirflowError):
    """There is no such DAG, run or task (yet)."""


@dataclass(frozen=True)
class Health:
    """Each part's state as Airflow tells it: "healthy", "unhealthy", or "" where it says nothing."""

    parts: Mapping[str, str]

    @property
    def healthy(self) -> bool:
        return all(state == "healthy" for state in self.parts.values())

    @property
    def sick(self) -> tuple[str, ...]:
        """The parts that are not healthy."""
        return tuple(part for part, state in self.parts.items() if state != "healthy")


@dataclass(frozen=True)
class Run:
    """One run of a DAG; `state` is "queued", "running", "success" or "failed"."""

    run_id: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True)
class TaskInstance:
    """One task in a run; `state` is "" before it is scheduled. `try_number` is that of the last try."""

    task_id: str
    state: str
    try_number: int
    map_index: int
    started_at: datetime | None
    ended_at: datetime | None


class AirflowApi:
    """Airflow at one address, as one user.

    Logs in when first needed, and again when the token has run out. Every method raises
    AirflowUnavailable when Airflow does not answer, AirflowNotFound when what is named does not exist,
    and AirflowError when Airflow refuses for another reason.
    """

    def __init__(self, base_url: str, username: str, password: str, *, timeout: float = 10.0) -> None:
        self.base_url = base_url.rstrip("/")
        self._credentials = {"username": username, "password": password}
        self._token: str | None = None
        self._http = httpx.Client(base_url=self.base_url, timeout=timeout)

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def __enter__(self) -> "AirflowApi":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def health(self, timeout: float = 2.0) -> Health:
        """The health of Airflow's four parts; needs no password."""
        answer = _checked(self._send("GET", "/api/v2/monitor/health", timeout=timeout))
        return Health({part: (answer.get(part) or {}).get("status") or "" for part in HEALTH_PARTS})

    def unpause(self, dag: str) -> None:
        """Let the scheduler run this DAG."""
        self._ask("PATCH", f"/dags/{_part(dag)}", json={"is_paused": False})

    def trigger(self, dag: str, run_id: str | None = None, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run now and return its id; without `run_id` Airflow makes one up."""
        body: dict[str, Any] = {"logical_date": None, "conf": dict(conf or {})}
        if run_id is not None:
            body["dag_run_id"] = run_id
        return str(self._ask("POST", f"/dags/{_part(dag)}/dagRuns", json=body)["dag_run_id"])

    def run(self, dag: str, run_id: str) -> Run:
        """How this run is."""
        return _run(self._ask("GET", f"/dags/{_part(dag)}/dagRuns/{_part(run_id)}"))

    def runs(self, dag: str, limit: int = 5) -> list[Run]:
        """The last runs, the newest first."""
        params = {"limit": limit, "order_by": "-run_after"}
        return [
            _run(run) for run in self._ask("GET", f"/dags/{_part(dag)}/dagRuns", params=params)["dag_runs"]
        ]

    def task_instances(self, dag: str, run_id: str) -> list[TaskInstance]:
        """The run's tasks, in no particular order."""
        answer = self._ask("GET", f"/dags/{_part(dag)}/dagRuns/{_part(run_id)}/taskInstances")
        return [_task_instance(task) for task in answer["task_instances"]]

    def log(self, dag: str, run_id: str, task: str, try_number: int = 1) -> str:
        """What this try of the task has logged so far, as lines of text without times and levels."""
        path = f"/dags/{_part(dag)}/dagRuns/{_part(run_id)}/taskInstances/{_part(task)}/logs/{try_number}"
        content = self._ask("GET", path, params={"full_content": "true"})["content"]
        lines = (entry if isinstance(entry, str) else str(entry.get("event", "")) for entry in content)
        return "\n".join(line for line in lines if not line.startswith(("::group::", "::endgroup::")))

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        if self._token is None:
            self._log_in()
        answer = self._send(method, f"/api/v2{path}", **how)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._log_in()
            answer = self._send(method, f"/api/v2{path}", **how)
        return _checked(answer)

    def _log_in(self) -> None:
        self._token = None
        answer = self._send("POST", "/auth/token", json=self._credentials)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise AirflowError(
                f"Airflow at {self.base_url} does not accept the password of "
                f"{self._credentials['username']!r}: is it the stack of this home folder (AIR_EXECUTOR_HOME)?"
            )
        self._token = str(_checked(answer)["access_token"])

    def _send(self, method: str, path: str, **how: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            return self._http.request(method, path, headers=headers, **how)
        except httpx.HTTPError as error:
            raise AirflowUnavailable(
                f"Airflow does not answer at {self.base_url} ({error or type(error).__name__}): "
                "start it with `make up`, or look at `docker compose ps`"
            ) from error


def find_airflow(home: Path | None = None) -> AirflowApi:
    """The stack's Airflow, found by its home folder and port.

    The home folder is `home`, else what AIR_EXECUTOR_HOME says, else `./.air-executor`; the port is
    AIRFLOW_PORT. A variable that is not set may stand in `.env` in the current folder, as for Compose.
    Raises AirflowUnavailable when Airflow was never started there, and AirflowError when its password may
    not be read.
    """
    folder = home_folder(home or _setting(HOME_VARIABLE, ""))
    file = folder / PASSWORDS_FILE
    try:
        password = str(json.loads(file.read_text(encoding="utf-8"))[USER])
    except FileNotFoundError:
        raise AirflowUnavailable(
            f"Airflow was never started for {folder} (there is no {file}): start it with `make up`"
        ) from None
    except PermissionError:
        raise AirflowError(
            f"{file} belongs to another user: ask as the owner of {folder}, or as root"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise AirflowError(
            f"{file} does not hold the password of {USER!r}: remove it, and `make down up` makes a new one"
        ) from None
    return AirflowApi(airflow_address(), USER, password)


def airflow_address() -> str:
    """Where the stack's Airflow is to be found from this machine."""
    host = _setting("AIRFLOW_ADDRESS", "127.0.0.1")
    if host in ("127.0.0.1", "0.0.0.0", "::"):
        host = "localhost"
    return f"http://{host}:{_setting('AIRFLOW_PORT', str(DEFAULT_PORT))}"


def _setting(name: str, default: str) -> str:
    """From the environment, else from .env, else the default; empty counts as not set, as in Compose."""
    if value := os.environ.get(name):
        return value
    try:
        lines = Path(".env").read_text(encoding="utf-8").splitlines()
    except OSError:
        return default
    values = [line.partition("=")[2].strip().strip("\"'") for line in lines if line.startswith(f"{name}=")]
    return (values[-1] if values else "") or default


def _part(name: str) -> str:
    """A name as one part of a path: run ids hold colons and pluses."""
    return quote(name, safe="")


def _checked(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.reason_phrase
    what = f"{answer.request.method} {answer.request.url.path}"
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise AirflowNotFound(f"Airflow does not know it: {detail} ({what})")
    if answer.is_server_error:
        raise AirflowUnavailable(
            f"Airflow is in trouble: {detail} ({what}); see `docker compose logs airflow`"
        )
    raise AirflowError(f"Airflow refuses: {detail} ({what})")


def _run(data: Mapping[str, Any]) -> Run:
    return Run(data["dag_run_id"], data["state"], _time(data["start_date"]), _time(data["end_date"]))


def _task_instance(data: Mapping[str, Any]) -> TaskInstance:
    return TaskInstance(
        data["task_id"],
        data["state"] or "",
        data["try_number"],
        data["map_index"],
        _time(data["start_date"]),
        _time(data["end_date"]),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
