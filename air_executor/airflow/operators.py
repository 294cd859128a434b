"""The operators: create a job, and show what became of it."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from air_executor import BadInput, Client, JobNotFound, JobView, RequestConflict, TaskSpec
from air_executor.airflow.request import job_name, request_of
from air_executor.airflow.ui import inert
from air_executor.airflow.xcom import results_of
from air_executor.client import Options
from air_executor.format.models import JobOptions
from air_executor.report import failure_summary, results_block

TAIL_LINES = 20
"""Of a failed task's log: what is shown of its end."""


class CreateJobOperator(BaseOperator):
    """Create a job; returns its name (XCom), which may be `<name>.2`, `<name>.3`, … after a clear.

    - `tasks`: mappings with the fields of TaskSpec (templated), or TaskSpecs (taken as they are).
    - `name`: the job's name (templated). By default made of DAG, run, task and map index, so it is
      unique; a name of your own must be too, in the whole home folder: `airflow-{{ run_id }}` is only
      unique as long as no other DAG uses it.
    - `max_parallel`: how many of its tasks may run at once; 1 is one after the other.
    - `options`: what the job says of itself (templated): `{"on_failure": "continue", "timeout": 3600}`.
    - `home`: the folder that the manager watches; by default AIR_EXECUTOR_HOME, else `./.air-executor`.

    **Again.** A retry finds the job of the try before, when it is live or completed; a failed one is
    followed by a fresh job. Clearing the task always makes a fresh job, and a job of this task that is
    still live is cancelled first, so there are never two. Tasks that render differently at each try (a
    time, `try_number`) ask for something else each time, and so get a fresh job each time.

    Fails at once, without a retry, for a task list that breaks a rule, and for a name that somebody
    else's job has.
    """

    template_fields: Sequence[str] = ("name", "tasks", "max_parallel", "options", "home")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tasks": "json"}
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        tasks: Sequence[TaskSpec | Mapping[str, Any]],
        name: str | None = None,
        max_parallel: int | None = None,
        options: Options | None = None,
        home: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tasks = tasks
        self.name = name
        self.max_parallel = max_parallel
        self.options = options
        self.home = home

    def execute(self, context: Context) -> str:
        """Create the job, or find it again. Source of the rules: ARCHITECTURE.md, "The folder"."""
        request = request_of(context, self.retries or 0)
        name = self.name or job_name(request)
        client = Client(self.home)
        options = self.options or {}
        known = (*JobOptions.model_fields, "files")
        if not isinstance(options, Mapping) or not set(options) <= set(known):
            # By its keys alone: what stands with them is not for the log.
            found = list(options) if isinstance(options, Mapping) else type(options).__name__
            rule = f"must be an object of {', '.join(known)}, not {found!r:.200}"
            raise AirflowFailException(inert(f"options: {rule}"))
        try:
            view = client.submit(name, self.tasks, request, max_parallel=self.max_parallel, **options)
        except (BadInput, RequestConflict) as error:  # the same at the next try
            raise AirflowFailException(inert(str(error))) from error
        count = len(view.tasks)
        self.log.info("Job %s in %s: %s, %d tasks", inert(view.name), client.store.jobs, view.state, count)
        return view.name


class JobResultsOperator(BaseOperator):
    """Log the results of an ended job, task by task; fails, without a retry, when the job failed.

    Returns (XCom) what its tasks have written to `$AIR_EXECUTOR_RESULT`, by task id, where that is no more
    than 48 KiB together; nothing where no task has. A result with keys that begin with `__` is its JSON text.

    - `job`: the job's name (templated), such as the output of the JobSensor before it.
    - `home`: the folder that the manager watches; by default AIR_EXECUTOR_HOME, else `./.air-executor`.

    The failure names the first task that failed, the cause, and the end of its log: in the task's log, one
    record for each line, and as the exception, for callbacks and alerts.
    """

    template_fields: Sequence[str] = ("job", "home")
    ui_color = "#fff2cc"

    def __init__(self, *, job: str, home: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.home = home

    def execute(self, context: Context) -> dict[str, Any] | None:
        """Log the block, each line as a record of its own, so that the UI shows it as it is."""
        client = Client(self.home)
        try:
            view = client.results(self.job)
        except (BadInput, JobNotFound) as error:
            raise AirflowFailException(inert(str(error))) from error
        for line in inert(results_block(view)).splitlines():
            self.log.info("%s", line)
        if view.state == "failed":
            summary = inert(failure_summary(view, _tail(client, view)))
            for line in summary.splitlines():
                self.log.error("%s", line)
            raise AirflowFailException(summary)
        return results_of(view)


def _tail(client: Client, view: JobView) -> str:
    task = view.failed_task
    return client.log_tail(view.name, task.id, TAIL_LINES) if task else ""
