"""Create a job for a task instance, once: retries find it again, a cleared task gets a fresh one."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from air_executor import BadInput, Client, Request, RequestConflict, TaskSpec
from air_executor.format import names


class CreateJobOperator(BaseOperator):
    """Create a job; returns its name (XCom), which may be `<name>.2`, `<name>.3`, … after a clear.

    - `tasks`: mappings with the fields of TaskSpec (templated), or TaskSpecs (taken as they are).
    - `name`: the job's name (templated). By default made of DAG, run, task and map index, so it is
      unique; a name of your own must be too, in the whole home folder: `airflow-{{ run_id }}` is only
      unique as long as no other DAG uses it.
    - `max_parallel`: how many of its tasks may run at once; 1 is one after the other.
    - `home`: the folder that the manager watches; by default AIR_EXECUTOR_HOME, else `./.air-executor`.

    **Again.** A retry finds the job of the try before, when it is live or completed; a failed one is
    followed by a fresh job. Clearing the task always makes a fresh job, and a job of this task that is
    still live is cancelled first, so there are never two. Tasks that render differently at each try (a
    time, `try_number`) ask for something else each time, and so get a fresh job each time.

    Fails at once, without a retry, for a task list that breaks a rule, and for a name that somebody
    else's job has.
    """

    template_fields: Sequence[str] = ("name", "tasks", "max_parallel", "home")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tasks": "json"}
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        tasks: Sequence[TaskSpec | Mapping[str, Any]],
        name: str | None = None,
        max_parallel: int | None = None,
        home: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tasks = tasks
        self.name = name
        self.max_parallel = max_parallel
        self.home = home

    def execute(self, context: Context) -> str:
        """Create the job, or find it again. Source of the rules: ARCHITECTURE.md, "The folder"."""
        request = request_of(context, self.retries or 0)
        name = self.name or names.for_airflow_task(
            request.dag_id, request.run_id, request.task_id, request.map_index
        )
        client = Client(self.home)
        try:
            view = client.submit(name, self.tasks, request, max_parallel=self.max_parallel)
        except (BadInput, RequestConflict) as error:  # the same at the next try
            raise AirflowFailException(str(error)) from error
        self.log.info("Job %s in %s: %s, %d tasks", view.name, client.store.jobs, view.state, len(view.tasks))
        return view.name


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
