import json

from air_executor import Failure, Job, Request, Task
from air_executor.format.text import job_text, task_text
from tests.unit.air_executor.builders import NOON, a_job, a_task, after, an_attempt


def test_unknown_keys_of_records_survive_reading_and_writing() -> None:
    job = a_job(color="red", nested={"a": [1]})
    assert json.loads(job_text(job))["nested"] == {"a": [1]}
    task = a_task(attempts=[an_attempt(shim="v2").model_dump()], note="mine", _comment="x")
    written = json.loads(task_text(task))
    assert (written["note"], written["_comment"]) == ("mine", "x")
    assert written["attempts"][0]["shim"] == "v2"


def test_a_full_task_is_the_same_after_writing_and_reading() -> None:
    task = a_task(
        job_name="demo",
        args=["a", "ü", "\n"],
        dependencies=["x"],
        image="python:3",
        env={"A": "1"},
        workdir="/work",
        timeout=1.5,
        retries=2,
        resources={"memory_mb": 64, "cpus": 0.5, "pids": 10},
        network="none",
        user="1000:1000",
        status="failed",
        started_at=NOON,
        completed_at=after(3),
        error="broken",
        failure=Failure(cause="oom", message="too much memory", exit_code=137).model_dump(),
        attempts=[an_attempt(exit_code=137, oom_killed=True).model_dump()],
    )
    assert Task.model_validate(json.loads(task_text(task))) == task


def test_a_full_job_is_the_same_after_writing_and_reading() -> None:
    job = a_job(
        uid="abc",
        state="failed",
        max_parallel=2,
        request=Request(
            dag_id="d", run_id="r", task_id="t", map_index=3, generation=1, digest="x"
        ).model_dump(),
        failure={"cause": "cancelled", "message": "asked"},
        requests=[{"request": "r1", "task": "a", "accepted": False, "reason": "no", "at": NOON}],
    )
    assert Job.model_validate(json.loads(job_text(job))) == job


def test_fields_that_older_readers_expect_are_written_even_when_empty() -> None:
    written = json.loads(task_text(a_task()))
    expected = "id job_name command args dependencies status created_at started_at completed_at error"
    assert set(expected.split()) <= set(written)
    assert (written["started_at"], written["completed_at"], written["error"]) == (None, None, None)
    assert (written["status"], written["args"], written["dependencies"]) == ("pending", [], [])


def test_what_is_not_set_is_not_written() -> None:
    assert not {"image", "env", "timeout", "failure", "attempts", "resources"} & set(
        json.loads(task_text(a_task()))
    )
