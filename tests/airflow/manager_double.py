"""Plays the manager for one job: writes its two files as the manager would, through the library's store."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk.bases.operator import ExecutorSafeguard

from air_executor import Client, Failure, JobState, TaskStatus
from air_executor.clock import utc_now
from air_executor.files import write_durably
from air_executor.format.attempts import Cause
from air_executor.format.text import job_text, task_text, tasks_text


@dataclass
class ManagerDouble:
    """Each call is one step of the job's life, published at once."""

    home: Path
    job: str

    def state(self, state: JobState, failure: Failure | None = None) -> None:
        folder = Client(self.home).store.existing(self.job)
        job = folder.read_job().model_copy(
            update={"state": state, "updated_at": utc_now(), "failure": failure}
        )
        write_durably(folder.state_file, job_text(job))

    def task(self, task_id: str, status: TaskStatus, failure: Failure | None = None) -> None:
        folder = Client(self.home).store.existing(self.job)
        change = {"status": status, "failure": failure, "completed_at": utc_now() if status.ended else None}
        tasks = [
            task.model_copy(update=change) if task.id == task_id else task for task in folder.read_tasks()
        ]
        write_durably(folder.tasks_file, tasks_text([task_text(task) for task in tasks]))

    def work(self) -> None:
        self.state(JobState.WORKING)

    def complete(self, task_id: str) -> None:
        self.task(task_id, TaskStatus.COMPLETED)

    def complete_job(self) -> None:
        for task in Client(self.home).status(self.job).tasks:
            self.complete(task.id)
        self.state(JobState.COMPLETED)

    def fail_job(self, task_id: str, *, exit_code: int, log: str) -> None:
        """`task_id` ends with `exit_code` after it printed `log`; what has not ended is skipped."""
        folder = Client(self.home).store.existing(self.job)
        folder.logs.mkdir(exist_ok=True)
        folder.log_file(task_id).write_text(log)
        failure = Failure(
            cause=Cause.EXIT, exit_code=exit_code, message=f"the command ended with exit code {exit_code}"
        )
        self.task(task_id, TaskStatus.FAILED, failure)
        for task in folder.read_tasks():
            if not task.status.ended:
                self.task(task.id, TaskStatus.SKIPPED)
        self.state(JobState.FAILED, failure)


class Lines:
    """Takes an operator's log, one string for each record."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str, *args: object) -> None:
        self.lines.append(message % args)

    warning = error = debug = info

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def logging_to(operator: Any) -> Lines:
    """From now on the operator's log goes to the returned Lines."""
    operator._cached_logger = lines = Lines()  # what the `log` property of Airflow's operators returns
    return lines


def run(operator: Any, **instance: Any) -> Any:
    """Execute an operator as Airflow's task runner does, for the task instance `instance`."""
    about = {"dag_id": "d", "run_id": "r", "task_id": operator.task_id, "map_index": -1, "max_tries": 0}
    context = {"ti": SimpleNamespace(**(about | instance))}
    token = ExecutorSafeguard.tracker.set(operator)  # else Airflow refuses: "outside of the Task Runner"
    try:
        return operator.execute(context=context)
    finally:
        ExecutorSafeguard.tracker.reset(token)
