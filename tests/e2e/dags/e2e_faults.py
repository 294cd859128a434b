"""DAGs whose Airflow tasks come to harm, one for each kind of it. Their job runs until it is let go."""

import time
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Context

from air_executor.airflow import CreateJobOperator, JobResultsOperator, JobSensor

HELD = "echo run >> /work/runs; until [ -e /work/go ]; do sleep 0.1; done"
TASKS = [{"id": "held", "command": "sh", "args": ["-c", HELD]}]
AT_ONCE = {"retries": 1, "retry_delay": timedelta(0)}


class SlowToReturn(CreateJobOperator):
    """Has made its job at the first try, and does not come to say so."""

    def execute(self, context: Context) -> str:
        job = super().execute(context)
        while context["ti"].try_number == 1:
            time.sleep(1)
        return job


def dag(
    name: str,
    wait: dict[str, Any] | None = None,
    *,
    operator: type[CreateJobOperator] = CreateJobOperator,
    create: dict[str, Any] | None = None,
) -> DAG:
    """create >> wait >> results, with these arguments."""
    with DAG(f"e2e_{name}", schedule=None, is_paused_upon_creation=False) as made:
        job = operator(task_id="create", tasks=TASKS, **create or {}).output
        job = JobSensor(task_id="wait", job=job, **{"timeout": 900} | (wait or {})).output
        JobResultsOperator(task_id="results", job=job)
    return made


overdue = timedelta(seconds=6)

DAGS = [
    dag("killed"),
    dag("killed_left", {"on_kill": "leave"}),
    dag("wait_cleared", {"on_kill": "leave"}),
    dag("overdue", {"execution_timeout": overdue}),
    dag("overdue_left", {"execution_timeout": overdue, "on_kill": "leave"} | AT_ONCE | {"retries": 30}),
    dag("timed_out", {"timeout": 4, "on_timeout": "cancel"} | AT_ONCE),
    dag("timed_out_left", {"timeout": 4} | AT_ONCE),
    dag("wait_dies", AT_ONCE),
    dag("worker_dies", AT_ONCE),
    dag("create_dies", operator=SlowToReturn, create=AT_ONCE),
    dag("create_cleared_midway", operator=SlowToReturn, create=AT_ONCE),
    dag("create_cleared"),
    dag("airflow_dies", AT_ONCE),
]
