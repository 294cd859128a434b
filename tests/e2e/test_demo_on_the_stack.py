"""The main job on real parts: Airflow on PostgreSQL, the manager's container, tasks in containers."""

import json
import re
from datetime import datetime
from itertools import pairwise

import pytest
from stack import CREATE, DEMO, RESULTS, WAIT, Stack, docker, last_attempt

pytestmark = pytest.mark.timeout(600)

OLD_FIELDS = {"id", "job_name", "command", "args", "dependencies", "status", "created_at", "started_at"}
OLD_FIELDS |= {"completed_at", "error"}
STEPS = ("ready_at", "created_at", "started_at", "finished_at", "recorded_at")


@pytest.fixture(scope="module")
def run_id(stack: Stack) -> str:
    """One run of the demo, ended."""
    run_id = stack.api.trigger(DEMO)
    assert stack.finish(DEMO, run_id).state == "success"
    return run_id


@pytest.fixture
def records(stack: Stack, run_id: str) -> list[dict]:
    """tasks.json as it stands, read without the library."""
    return json.loads((stack.home / "jobs" / f"airflow-{run_id}" / "tasks.json").read_text())


def test_the_results_task_logs_the_block(stack, run_id):
    log = stack.api.log(DEMO, run_id, RESULTS)
    for line in (
        "🎉 Air-Executor Job Results",
        f"Job Name: airflow-{run_id}",
        "Final State: completed",
        "Task Execution Details:",
        "✅ greet: completed",
        f"   Command: echo Hello from Airflow DAG run: {run_id}",
        "✅ process: completed",
        "   Command: sleep 3",
        "✅ complete: completed",
        "   Command: echo Air-Executor job completed successfully!",
    ):
        assert line in log.splitlines(), f"{line!r} is not a line of:\n{log}"
    container = (
        r"   Container: \S+ \([0-9a-f]{12}\), image \S+, created → started \d+ ms( beforehand)?, "
        r"ready → began \d+ ms \((?:warm|ahead|cold)\), ran \d+ ms, exit code 0"
    )
    assert len(re.findall(container, log)) == 3


def test_the_wait_logs_state_and_progress(stack, run_id):
    lines = stack.api.log(DEMO, run_id, WAIT).splitlines()
    assert f"📊 Job airflow-{run_id} state: working" in lines
    assert "   Tasks: 1/3 completed" in lines
    assert "   Tasks: 3/3 completed" in lines


def test_state_json_says_completed(stack, run_id):
    state = json.loads((stack.home / "jobs" / f"airflow-{run_id}" / "state.json").read_text())
    assert (state["name"], state["state"]) == (f"airflow-{run_id}", "completed")
    assert state["request"]["run_id"] == run_id


def test_tasks_json_has_what_older_readers_know(records):
    assert [record["id"] for record in records] == ["greet", "process", "complete"]
    for record in records:
        assert set(record) >= OLD_FIELDS
        assert (record["status"], record["error"]) == ("completed", None)


def test_tasks_json_has_the_container_and_the_timings_of_each_attempt(records):
    containers = set()
    for record in records:
        (attempt,) = record["attempts"]
        container, timings = attempt["container"], attempt["timings"]
        assert re.fullmatch(r"[0-9a-f]{64}", container["id"])
        assert record["id"] in container["name"]
        assert container["image"] == "air-executor-runner:latest"
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", container["image_id"])
        assert (attempt["exit_code"], attempt["oom_killed"]) == (0, False)
        for step in STEPS:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", timings[step])
        assert attempt["start"] in ("warm", "ahead", "cold")
        # A container may have been there before its task's turn came.
        steps = STEPS if attempt["start"] == "cold" else [step for step in STEPS if step != "created_at"]
        moments = [datetime.fromisoformat(timings[step]) for step in steps]
        assert all(before <= after for before, after in pairwise(moments)), timings
        assert timings["created_at"] <= timings["started_at"]
        assert (record["started_at"], record["completed_at"]) == (
            timings["started_at"],
            timings["finished_at"],
        )
        containers.add(container["id"])
    assert len(containers) == 3


def test_no_task_starts_before_its_dependency_has_ended_and_the_sleep_takes_3_seconds(stack, run_id):
    greet, process, complete = stack.job(f"airflow-{run_id}").tasks
    assert greet.completed_at <= process.started_at
    assert process.completed_at <= complete.started_at
    assert 3000 <= last_attempt(process).timings.ran_ms < 6000


def test_nothing_of_the_tasks_is_left_in_the_engine(stack, run_id):
    found = docker(
        "ps", "-a", "--format", "{{.Names}}", "--filter", f"label=air-executor.job=airflow-{run_id}"
    )
    assert found == ""


def test_airflow_has_no_engine_socket(stack):
    container = stack.get_container("airflow").ID
    mounts = json.loads(docker("inspect", "--format", "{{json .Mounts}}", container))
    places = [mount[end] for mount in mounts for end in ("Source", "Destination")]
    assert not [place for place in places if place.endswith(".sock") or place in ("/run", "/var/run", "/")]
    found = docker("exec", container, "sh", "-c", "ls /var/run/docker.sock /run/docker.sock 2>/dev/null")
    assert "docker.sock" not in found


def test_clearing_the_create_task_makes_a_fresh_job_and_keeps_the_first_record(stack):
    run_id = stack.api.trigger(DEMO)
    assert stack.finish(DEMO, run_id).state == "success"
    stack.clear(DEMO, run_id, CREATE)
    assert stack.finish(DEMO, run_id).state == "success"
    first, second = stack.job(f"airflow-{run_id}"), stack.job(f"airflow-{run_id}.2")
    assert (first.state, second.state) == ("completed", "completed")
    assert (first.job.request.generation, second.job.request.generation) == (0, 1)
    assert f"Job Name: airflow-{run_id}.2" in stack.api.log(DEMO, run_id, RESULTS, try_number=2)


def test_a_failed_job_is_shown_and_fails_the_results_task_without_a_retry(stack):
    run_id = stack.api.trigger("e2e_failing")
    assert stack.finish("e2e_failing", run_id).state == "failed"
    tasks = {task.task_id: task for task in stack.api.task_instances("e2e_failing", run_id)}
    assert {name: task.state for name, task in tasks.items()} == {
        "create": "success",
        "wait": "success",
        "results": "failed",
    }
    assert tasks["results"].try_number == 1
    log = stack.api.log("e2e_failing", run_id, "results")
    for part in (
        "❌ count: failed",
        "⏭ after: skipped",
        "exit code 3",
        "task count failed",
        "it was the disk",
    ):
        assert part in log
