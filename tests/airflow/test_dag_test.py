"""`dag.test()`: Airflow's own task runner and database, a real manager, real containers."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow_environment import AIRFLOW_ENVIRONMENT, AIRFLOW_HOME, REPOSITORY

from air_executor import Client, JobState, daemon

FAILING_DAG = """
from airflow.sdk import DAG
from air_executor.airflow import CreateJobOperator, JobResultsOperator, JobSensor

TASKS = [
    {"id": "count", "command": "sh", "args": ["-c", "echo one; echo it was the disk >&2; exit 3"]},
    {"id": "after", "command": "true", "dependencies": ["count"]},
]

with DAG("failing"):
    create = CreateJobOperator(task_id="create", tasks=TASKS)
    wait = JobSensor(task_id="wait", job=create.output, timeout=60)
    JobResultsOperator(task_id="results", job=wait.output)
"""


def engine_answers() -> bool:
    try:
        return subprocess.run(["docker", "version"], capture_output=True, timeout=30).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(
    not engine_answers() and not os.environ.get("CI"),
    reason="no Docker Engine answers: `make setup` gets one",
)


@pytest.fixture(scope="module")
def database() -> None:
    """Airflow's tables, in a SQLite file."""
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=os.environ | AIRFLOW_ENVIRONMENT,
        check=True,
        capture_output=True,
        timeout=240,
    )


@pytest.fixture
def manager(home: Path) -> Iterator[Path]:
    """A manager for this test's home folder; yields the folder."""
    process = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "run_manager.py")],
        env=os.environ | {"AIR_EXECUTOR_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield home
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    finally:
        _sweep(home)


def _sweep(home: Path) -> None:
    """A test that failed may leave containers behind."""
    label = f"label=air-executor.home-id={(home / 'home-id').read_text().strip()}"
    found = subprocess.run(["docker", "ps", "-aq", "--filter", label], capture_output=True, text=True)
    if names := found.stdout.split():
        subprocess.run(["docker", "rm", "-f", *names], capture_output=True, check=False)


def dag_test(dag_id: str, home: Path, dags: Path = REPOSITORY / "dags") -> tuple[dict, str]:
    """The run as run_dag_test.py prints it, and everything that was logged."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run_dag_test.py")), dag_id],
        env=os.environ
        | AIRFLOW_ENVIRONMENT
        | {"AIR_EXECUTOR_HOME": str(home), "AIRFLOW__CORE__DAGS_FOLDER": str(dags)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        cwd=AIRFLOW_HOME,
    )
    results = [line for line in done.stdout.splitlines() if line.startswith("RUN ")]
    assert results, f"dag.test() did not get to its end:\n{done.stdout}\n{daemon.diagnosis(home)}"
    return json.loads(results[-1].removeprefix("RUN ")), done.stdout


@pytest.mark.timeout(600)
def test_the_demo_runs_to_its_results(database, manager):
    run, log = dag_test("air_executor_demo", manager)
    assert run["state"] == "success", f"{log}\n{daemon.diagnosis(manager)}"
    assert set(run["tasks"].values()) == {"success"}

    job = Client(manager).status(f"airflow-{run['run_id']}")
    assert job.state is JobState.COMPLETED
    assert [task.attempts[-1].exit_code for task in job.tasks] == [0, 0, 0]
    assert Client(manager).log_tail(job.name, "greet") == f"Hello from Airflow DAG run: {run['run_id']}"
    assert f"📊 Job {job.name} state: working" in log
    assert "🎉 Air-Executor Job Results" in log
    assert "✅ complete: completed" in log


@pytest.mark.timeout(600)
def test_a_failed_job_lets_the_wait_succeed_and_the_results_fail(database, manager, tmp_path):
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "failing.py").write_text(FAILING_DAG)
    run, log = dag_test("failing", manager, dags)
    assert run["state"] == "failed"
    assert run["tasks"] == {"create": "success", "wait": "success", "results": "failed"}
    for part in ("❌ count: failed", "⏭ after: skipped", "exit code 3", "it was the disk"):
        assert part in log
