"""What the job of a task instance is called."""

from air_executor import Request
from air_executor.airflow.request import job_name
from air_executor.format import names


def named(dag_id, run_id, task_id, map_index=-1):
    return job_name(Request(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index))


def test_the_job_of_an_airflow_task_names_dag_run_and_task():
    name = named("dag", "manual__2025-10-02T07:30:00+00:00", "make")
    assert name == "airflow~dag~manual__2025-10-02T07:30:00+00:00~make"


def test_tasks_with_ids_outside_ascii_have_jobs_of_their_own():
    made = {named("etl", "manual__2025-10-02T07:30:00+00:00", task) for task in ("抽取", "加载")}
    assert len(made) == 2
    assert all(name.startswith("airflow~etl~manual__2025-10-02T07:30:00+00:00~--~") for name in made)


def test_a_task_named_as_the_second_job_of_another_one_has_a_job_of_its_own():
    assert named("etl", "run", "load.2") != names.successor(named("etl", "run", "load"), 2)


def test_jobs_of_mapped_tasks_differ_by_their_index():
    made = {named("dag", "run", "make", index) for index in (-1, 0, 1)}
    assert len(made) == 3


def test_what_may_not_be_in_a_name_is_replaced():
    assert names.is_name(named("my dag/ü", "run 1", "a\tb"))


def test_long_airflow_names_stay_valid_and_different():
    made = {named("d" * 250, "r" * 250, task) for task in ("one", "two")}
    assert len(made) == 2
    assert all(names.is_name(name) for name in made)
