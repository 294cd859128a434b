"""Which job a task instance gets: at first, at a retry, and after a clear."""

import pytest
from airflow.sdk.exceptions import AirflowFailException
from manager_double import ManagerDouble, run

from air_executor import Client, JobState
from air_executor.airflow import CreateJobOperator

TASKS = [{"id": "greet", "command": "echo", "args": ["hello"]}]


def create(home, *, tasks=TASKS, name="hello", retries=0, instance=None, **options):
    operator = CreateJobOperator(
        task_id="create", tasks=tasks, name=name, home=str(home), retries=retries, **options
    )
    return run(operator, **({"max_tries": retries} | (instance or {})))


def test_the_name_of_the_job_is_returned_and_the_job_is_there(home):
    assert create(home) == "hello"
    view = Client(home).status("hello")
    assert view.state is JobState.WAITING
    assert (view.job.request.dag_id, view.job.request.run_id, view.job.request.task_id) == (
        "d",
        "r",
        "create",
    )


def test_a_name_of_its_own_is_unique_for_dag_run_task_and_map_index(home):
    names = {
        create(home, name=None, instance={"map_index": -1}),
        create(home, name=None, instance={"map_index": 0}),
        create(home, name=None, instance={"map_index": 1}),
        create(home, name=None, instance={"dag_id": "other"}),
        create(home, name=None, instance={"run_id": "manual__2025-10-02T07:30:00+00:00"}),
    }
    assert len(names) == 5
    assert "airflow~d~r~create" in names


def test_max_parallel_reaches_the_job(home):
    create(home, max_parallel=1)
    assert Client(home).status("hello").job.max_parallel == 1


def test_options_reach_the_job(home):
    create(home, options={"on_failure": "continue", "timeout": 60})
    job = Client(home).status("hello").job
    assert (job.on_failure, job.timeout) == ("continue", 60)


def test_options_that_are_none_are_told_by_their_keys_alone(home):
    options = {"default": 1, "defaults": {"env": {"TOKEN": "hush"}}}
    with pytest.raises(AirflowFailException, match=r"files, not \['default', 'defaults'\]") as refused:
        create(home, options=options)
    assert "hush" not in str(refused.value)


def test_a_retry_finds_the_live_job_again(home):
    create(home, retries=2)
    ManagerDouble(home, "hello").work()
    assert create(home, retries=2) == "hello"
    assert [view.name for view in Client(home).jobs()] == ["hello"]


def test_a_retry_finds_the_completed_job_again(home):
    create(home, retries=2)
    ManagerDouble(home, "hello").complete_job()
    assert create(home, retries=2) == "hello"


def test_a_retry_after_a_failed_job_gets_a_fresh_one_and_the_old_record_stays(home):
    create(home, retries=2)
    ManagerDouble(home, "hello").fail_job("greet", exit_code=3, log="no\n")
    assert create(home, retries=2) == "hello.2"
    assert Client(home).status("hello").state is JobState.FAILED


def test_a_clear_gets_a_fresh_job_even_after_a_completed_one(home):
    create(home, retries=2)
    ManagerDouble(home, "hello").complete_job()
    # What Airflow's clear does after the first try: max_tries = try_number + retries.
    assert create(home, retries=2, instance={"max_tries": 1 + 2}) == "hello.2"
    # A retry of the cleared task leaves max_tries alone: the same job.
    assert create(home, retries=2, instance={"max_tries": 1 + 2}) == "hello.2"
    ManagerDouble(home, "hello.2").complete_job()
    # Cleared again after its third try.
    assert create(home, retries=2, instance={"max_tries": 3 + 2}) == "hello.3"


def test_a_clear_cancels_the_live_job_before_it_makes_another(home, after):
    create(home)
    manager = ManagerDouble(home, "hello")
    manager.work()
    after(0.5, lambda: manager.fail_job("greet", exit_code=137, log=""))
    assert create(home, instance={"max_tries": 1}) == "hello.2"
    assert Client(home).store.existing("hello").cancel_marker.exists()
    assert Client(home).status("hello").state.ended


def test_another_dag_with_the_same_name_fails_without_a_retry_and_says_whose_it_is(home):
    create(home)
    with pytest.raises(AirflowFailException, match="made for task 'create' of DAG 'd', run 'r'"):
        create(home, instance={"dag_id": "other"})


def test_a_cycle_fails_without_a_retry_and_is_named(home):
    tasks = [
        {"id": "a", "command": "true", "dependencies": ["b"]},
        {"id": "b", "command": "true", "dependencies": ["a"]},
    ]
    with pytest.raises(AirflowFailException, match=r"a.*b"):
        create(home, tasks=tasks)


def test_name_and_tasks_are_templates(home):
    operator = CreateJobOperator(
        task_id="create",
        name="airflow-{{ run_id }}",
        tasks=[
            {"id": "greet", "command": "echo", "args": ["run {{ run_id }}"], "env": {"A": "{{ run_id }}"}}
        ],
    )
    operator.render_template_fields({"run_id": "x1"})
    assert operator.name == "airflow-x1"
    assert operator.tasks[0]["args"] == ["run x1"]
    assert operator.tasks[0]["env"] == {"A": "x1"}
