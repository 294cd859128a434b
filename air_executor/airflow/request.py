"""Which task instance asks for a job, and what that job is called unless somebody names it."""

from airflow.sdk import Context

from air_executor import Request
from air_executor.format import names


def request_of(context: Context, retries: int) -> Request:
    """Which task instance asks, and how often it was cleared.

    Airflow counts tries on when a task is cleared. It sets `max_tries` to `retries` when it makes the
    task instance, leaves it alone at a retry, and at a clear sets it to `try_number + retries`
    (`airflow/models/taskinstance.py`, `clear_task_instances`, 3.3.2; the task SDK relies on the same sum
    for the first try since the last clear, `RuntimeTaskInstance.get_first_reschedule_date`). So
    `max_tries - retries` is 0 until the first clear and grows with each clear of a task that has run,
    and with nothing else. The instance's `id` tells nothing: it changes at each retry too.

    A task that is cleared *while it runs* is killed, and then the same sum is made
    (`jobs/scheduler_job_runner.py`, `process_executor_events`; shown by tests/e2e/test_35). It may count as a
    retry when it fails by itself meanwhile: so no `on_kill` here that raises. Editing
    `retries` in the DAG file between two tries looks like a clear.
    """
    instance = context["ti"]
    return Request(
        dag_id=instance.dag_id,
        run_id=instance.run_id,
        task_id=instance.task_id,
        map_index=-1 if instance.map_index is None else instance.map_index,
        generation=instance.max_tries - retries,
    )


def job_name(request: Request) -> str:
    """A job name that no other task instance has.

    A run id is unique in its DAG only, so DAG and task are part of it; hashed where it is long or ambiguous.
    """
    parts = ["airflow", request.dag_id, request.run_id, request.task_id]
    if request.map_index >= 0:
        parts.append(str(request.map_index))
    return names.joined(parts)
