"""Run a few tasks that nobody sees, so that the first task a person starts is as quick as the next.

The DAG file is written into a bundle of its own, run once over the REST API, and removed again,
along with every trace of it in the database.
"""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

API = "http://127.0.0.1:8080"
DAG = "air_executor_warm_up"
RUNS = f"/api/v2/dags/{DAG}/dagRuns"
FILE = Path(os.environ["AIRFLOW_HOME"], "warm-up", "warm_up.py")
PASSWORDS = Path(os.environ["AIR_EXECUTOR_HOME"], "airflow", "simple_auth_manager_passwords.json")

# As many tasks side by side as a DAG of ours commonly has: each wakes a worker of its own.
SOURCE = f'''
from airflow.sdk import dag, task

@dag(dag_id="{DAG}", schedule=None, tags=["internal"])
def warm_up():
    @task
    def wake(number):
        import time

        import air_executor.airflow

        time.sleep(0.5)

    [wake.override(task_id=f"wake_{{number}}")(number) for number in range(3)]

warm_up()
'''


class Api:
    def __init__(self) -> None:
        self.token = ""

    def ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(API + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def log_in(self) -> None:
        password = json.loads(PASSWORDS.read_text())["admin"]
        answer = self.ask("POST", "/auth/token", {"username": "admin", "password": password})
        self.token = answer["access_token"]


def until(what: str, seconds: float, attempt: Callable[[Api], Any]) -> Any:
    """Try again and again until it neither fails nor returns None. Raises TimeoutError."""
    end = time.monotonic() + seconds
    api = Api()
    last: object = "no answer"
    while time.monotonic() < end:
        try:
            if not api.token:
                api.log_in()
            result = attempt(api)
            if result is not None:
                return result
        except (OSError, KeyError) as problem:
            last = problem
        time.sleep(0.2)
    raise TimeoutError(f"{what} took too long: {last}")


def run() -> None:
    """Run the DAG once, and wait for its end."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(SOURCE)
    try:
        made = until("starting it", 60, lambda api: api.ask("POST", RUNS, {"logical_date": None}))

        def end(api: Api) -> str | None:
            state = api.ask("GET", f"{RUNS}/{made['dag_run_id']}")["state"]
            return state if state in ("success", "failed") else None

        until("running it", 30, end)
    finally:
        FILE.unlink()


def remove_traces(seconds: float) -> None:
    """Take the DAG and its runs out of the database; Airflow refuses while one of its tasks runs."""

    def remove(api: Api) -> bool:
        try:
            api.ask("DELETE", f"/api/v2/dags/{DAG}")
        except urllib.error.HTTPError as refusal:
            if refusal.code != HTTPStatus.NOT_FOUND:
                raise
        return True

    until("removing its traces", seconds, remove)
