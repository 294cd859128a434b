"""`air-executor results`: what tasks have left, as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from air_executor import JobState, TaskStatus
from air_executor.client import Client
from air_executor.format.results import Result
from tests.unit.air_executor.builders import publish
from tests.unit.air_executor.cli.conftest import Run


@pytest.fixture
def job(home: Path) -> str:
    """One task has left a result, one has not, and one runs."""
    client = Client(home)
    view = client.create_job("job", [{"id": each, "command": "x"} for each in ("a", "b", "c")])
    left: list[dict[str, Any]] = [
        {"status": TaskStatus.COMPLETED, "result": Result('{"rows":[1,"é\\u001b[31m"],"n":null}')},
        {"status": TaskStatus.COMPLETED},
        {"status": TaskStatus.RUNNING},
    ]
    tasks = [task.model_copy(update=update) for task, update in zip(view.tasks, left, strict=True)]
    publish(home, "job", tasks, state=JobState.WORKING)
    return "job"


def test_all_of_a_job_come_by_task(run: Run, job: str) -> None:
    told = run("results", job)
    assert told.exit_code == 0
    assert json.loads(told.stdout) == {"a": {"rows": [1, "é\x1b[31m"], "n": None}}
    assert "\x1b" not in told.stdout


def test_one_comes_as_it_is(run: Run, job: str) -> None:
    told = run("results", job, "a")
    assert json.loads(told.stdout) == {"rows": [1, "é\x1b[31m"], "n": None}
    assert told.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("b", "task 'b' completed, and left no result"),
        ("c", "task 'c' has not ended"),
        ("d", "has no task 'd'; `air-executor status job` lists"),
    ],
)
def test_where_there_is_none_the_reason_is_told(run: Run, job: str, task: str, words: str) -> None:
    told = run("results", job, task)
    assert (told.exit_code, told.stdout) == (2, "")
    assert words in told.stderr


def test_the_status_as_json_has_them_as_values(run: Run, job: str) -> None:
    tasks = json.loads(run("status", job, "--json").stdout)["tasks"]
    assert tasks[0]["result"]["rows"][0] == 1
    assert "result" not in tasks[1]
