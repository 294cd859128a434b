"""Show what became of a job, and fail when it failed."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from air_executor import BadInput, Client, JobNotFound, JobView
from air_executor.report import failure_summary, results_block

TAIL_LINES = 20


class JobResultsOperator(BaseOperator):
    """Log the results of an ended job, task by task; fails, without a retry, when the job failed.

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

    def execute(self, context: Context) -> None:
        """Log the block, each line as a record of its own, so that the UI shows it as it is."""
        client = Client(self.home)
        try:
            view = client.results(self.job)
        except (BadInput, JobNotFound) as error:
            raise AirflowFailException(str(error)) from error
        for line in results_block(view).splitlines():
            self.log.info("%s", line)
        if view.state == "failed":
            summary = failure_summary(view, _tail(client, view))
            for line in summary.splitlines():
                self.log.error("%s", line)
            raise AirflowFailException(summary)


def _tail(client: Client, view: JobView) -> str:
    task = view.failed_task
    return client.log_tail(view.name, task.id, TAIL_LINES) if task else ""
