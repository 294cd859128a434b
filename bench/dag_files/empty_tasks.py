"""Three Python tasks in a chain that do nothing: what Airflow itself costs."""

from airflow.sdk import DAG, task

with DAG(dag_id="bench_empty_tasks", schedule=None, catchup=False, is_paused_upon_creation=False):

    @task
    def nothing() -> None:
        """Do nothing."""

    first, second, third = (nothing.override(task_id=name)() for name in ("first", "second", "third"))

    first >> second >> third
