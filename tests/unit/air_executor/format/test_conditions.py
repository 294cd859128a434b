"""What tasks and jobs may say of when they run, and what their files look like then."""

import json
from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.graph import check_graph
from air_executor.format.models import Job, JobSpec, Task, TaskSpec
from air_executor.format.text import job_text, task_text
from tests.unit.air_executor.builders import a_job, a_task


def spec(**fields: Any) -> TaskSpec:
    return validate(TaskSpec, {"id": "a", "command": "true"} | fields, "tasks[0]")


@pytest.mark.parametrize(
    "fields",
    [
        {"run_if": "never"},
        {"run_if": True},
        {"allow_failure": "yes"},
        {"allow_failure": 1},
        {"skip_exit_codes": [0]},
        {"skip_exit_codes": [256]},
        {"skip_exit_codes": [-1]},
        {"skip_exit_codes": [1.0]},
        {"skip_exit_codes": ["99"]},
        {"skip_exit_codes": 99},
        {"skip_exit_codes": [99] * 10_000},
        {"on_skip": "stop"},
        {"retries": {"exit_codes": [0]}},
        {"retries": {"exit_codes": [1], "on": ["oom"]}},
        {"priority": 5},
    ],
    ids=str,
)
def test_what_a_task_may_not_say(fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=rf"^tasks\[0\]\.{next(iter(fields))}"):
        spec(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"on_failure": "ignore"},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": "60"},
        {"timeout": float("inf")},
        {"priority": 101},
        {"priority": -101},
        {"priority": 1.0},
        {"priority": True},
        {"defaults": []},
        {"run_if": "always"},
    ],
    ids=str,
)
def test_what_a_job_may_not_say(fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=rf"^job\.{next(iter(fields))}"):
        validate(JobSpec, {"name": "job"} | fields, "job")


def test_a_task_that_could_never_run_is_refused_with_what_to_write() -> None:
    with pytest.raises(BadInput, match=r"tasks\[1\]\.run_if: .*depends on nothing: name the tasks"):
        check_graph([spec(), spec(id="b", run_if="failure")])
    check_graph([spec(), spec(id="b", run_if="failure", dependencies=["a"]), spec(id="c", run_if="always")])


def test_a_cycle_is_one_whatever_it_runs_after() -> None:
    tasks = [
        spec(run_if="always", dependencies=["b"]),
        spec(id="b", run_if="failure", dependencies=["a"]),
    ]
    with pytest.raises(BadInput, match="cycle"):
        check_graph(tasks)


def test_who_says_nothing_of_it_is_written_as_before() -> None:
    written = json.loads(task_text(a_task()))
    assert not {"run_if", "allow_failure", "skip_exit_codes", "on_skip", "labels", "outcome"} & written.keys()
    assert (
        not {"on_failure", "timeout", "priority", "defaults", "labels", "outcome"}
        & json.loads(job_text(a_job())).keys()
    )


def test_what_is_said_is_written_and_read_again() -> None:
    task = a_task(
        run_if="always",
        dependencies=["b"],
        skip_exit_codes=[99],
        on_skip="continue",
        labels={"a": "b"},
        outcome="skipped_by_exit_code",
        status="skipped",
        retries={"max": 2, "exit_codes": [75]},
    )
    assert Task.model_validate_json(task_text(task)) == task
    job = a_job(on_failure="continue", timeout=5, priority=-3, labels={"a": ""}, outcome="timed_out")
    assert Job.model_validate_json(job_text(job)) == job


def test_what_is_the_managers_alone_is_in_no_view() -> None:
    job = a_job(limit={"seconds": 1, "at": "2025-10-02T12:00:00Z"})
    assert job.limit is not None and "limit" not in json.loads(job_text(job))
