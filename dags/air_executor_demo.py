"""Demo: an Airflow DAG creates a job, waits for it, and shows its results."""

from datetime import timedelta

from airflow.sdk import DAG

from air_executor.airflow import CreateJobOperator, JobResultsOperator, JobSensor

ABOUT = """
### What you see here

Airflow drives and watches; **Air-Executor** runs. A *job* is a folder, and each of its *tasks* runs in a
container of its own, used once and thrown away.

1. `create_air_executor_job` writes the job `airflow-<run id>` with three tasks:
   `greet` → `process` (sleeps 3 s) → `complete`.
2. `wait_for_air_executor_completion` follows it. Its log shows the progress every 2 s.
3. `get_air_executor_results` logs what each task did, when, and in which container. It fails when the job
   failed, and says why.

### Try it

- Press **Trigger**, then open the log of `get_air_executor_results`.
- On the host: `./status.sh`, and the job's files in `.air-executor/jobs/airflow-<run id>/`.
- Clear `create_air_executor_job`: it makes a fresh job, `airflow-<run id>.2`; the first one's record stays.

**A job does not come on?** The wait says what to check: is the manager running (`docker compose ps`), and
what does the end of `.air-executor/manager.log` say.
"""

TASKS = [
    {"id": "greet", "command": "echo", "args": ["Hello from Airflow DAG run: {{ run_id }}"]},
    {"id": "process", "command": "sleep", "args": ["3"], "dependencies": ["greet"]},
    {
        "id": "complete",
        "command": "echo",
        "args": ["Air-Executor job completed successfully!"],
        "dependencies": ["process"],
    },
]

with DAG(
    dag_id="air_executor_demo",
    description="Demo: Airflow orchestrating Air-Executor jobs",
    doc_md=ABOUT,
    tags=["air-executor", "demo", "integration"],
    schedule=None,
    catchup=False,
    is_paused_upon_creation=False,
):
    create = CreateJobOperator(
        task_id="create_air_executor_job",
        name="airflow-{{ run_id }}",
        tasks=TASKS,
        retries=1,  # safe: a retry finds the job of the try before
        retry_delay=timedelta(seconds=5),
    )
    wait = JobSensor(task_id="wait_for_air_executor_completion", job=create.output, timeout=300)
    results = JobResultsOperator(task_id="get_air_executor_results", job=wait.output)

    create >> wait >> results
