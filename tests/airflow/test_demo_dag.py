"""The demo DAG, as Airflow's own loader sees it."""

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow_environment import REPOSITORY

CREATE, WAIT, RESULTS = (
    "create_air_executor_job",
    "wait_for_air_executor_completion",
    "get_air_executor_results",
)


@pytest.fixture(scope="module")
def bag():
    return DagBag(str(REPOSITORY / "dags"))


@pytest.fixture
def dag(bag):
    return bag.dags["air_executor_demo"]


def test_every_dag_file_imports_without_error(bag):
    assert bag.import_errors == {}


def test_the_demo_is_described_as_users_know_it(dag):
    assert dag.description == "Demo: Airflow orchestrating Air-Executor jobs"
    assert set(dag.tags) == {"air-executor", "demo", "integration"}
    assert not dag.timetable.can_be_scheduled
    assert dag.catchup is False
    assert dag.is_paused_upon_creation is False
    assert "air-executor" in dag.doc_md.lower()


def test_its_three_tasks_make_one_line(dag):
    edges = {task.task_id: task.downstream_task_ids for task in dag.tasks}
    assert edges == {CREATE: {WAIT}, WAIT: {RESULTS}, RESULTS: set()}


def test_the_wait_reports_every_2_seconds_and_gives_up_after_300(dag):
    wait = dag.get_task(WAIT)
    assert (wait.poke_interval, wait.timeout) == (2, 300)


def test_the_job_asked_for_is_the_one_of_the_issue(dag):
    create = dag.get_task(CREATE)
    run_id = "manual__2025-10-02T07:30:00+00:00"
    create.render_template_fields({"run_id": run_id})
    assert create.name == f"airflow-{run_id}"
    assert [(task["id"], task["command"], task["args"]) for task in create.tasks] == [
        ("greet", "echo", [f"Hello from Airflow DAG run: {run_id}"]),
        ("process", "sleep", ["3"]),
        ("complete", "echo", ["Air-Executor job completed successfully!"]),
    ]
    assert [task.get("dependencies", []) for task in create.tasks] == [[], ["greet"], ["process"]]
