"""Ten times `true`, one after the other, as one job: create it, and wait for it."""

from airflow.sdk import DAG

from air_executor.airflow import CreateJobOperator, JobSensor

TASKS = [
    {"id": f"step-{number}", "command": "true", "dependencies": [f"step-{number - 1}"] if number else []}
    for number in range(10)
]

with DAG(dag_id="bench_ten_in_a_job", schedule=None, catchup=False, is_paused_upon_creation=False):
    create = CreateJobOperator(task_id="create", tasks=TASKS)
    JobSensor(task_id="wait", job=create.output)  # type: ignore[arg-type]  # templated
