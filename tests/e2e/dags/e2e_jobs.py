"""A DAG that only the tests run: its job fails."""

from airflow.sdk import DAG

from air_executor.airflow import CreateJobOperator, JobResultsOperator, JobSensor

FAILING = [
    {"id": "count", "command": "sh", "args": ["-c", "echo one; echo it was the disk >&2; exit 3"]},
    {"id": "after", "command": "true", "dependencies": ["count"]},
]

with DAG("e2e_failing", schedule=None, is_paused_upon_creation=False):
    failing = CreateJobOperator(task_id="create", tasks=FAILING, retries=2)
    failing_wait = JobSensor(task_id="wait", job=failing.output, timeout=60)
    JobResultsOperator(task_id="results", job=failing_wait.output, retries=2)
