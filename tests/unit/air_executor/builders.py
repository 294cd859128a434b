"""Jobs and tasks for tests, and somebody who plays the manager."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from air_executor import Attempt, Client, Failure, Job, JobState, JobView, Task, TaskStatus, Timings
from air_executor.files import write_durably
from air_executor.format.attempts import Container, Phase
from air_executor.format.text import job_text, task_text, tasks_text

NOON = datetime(2025, 10, 2, 12, 0, tzinfo=UTC)
DEMO = [
    {"id": "greet", "command": "echo", "args": ["hello"]},
    {"id": "process", "command": "sleep", "args": ["3"], "dependencies": ["greet"]},
]


def after(seconds: float) -> datetime:
    """A moment, `seconds` after noon."""
    return NOON + timedelta(seconds=seconds)


def a_job(**fields: Any) -> Job:
    return Job.model_validate(
        {"id": "1", "name": "demo", "created_at": NOON, "updated_at": after(5), **fields}
    )


def a_task(**fields: Any) -> Task:
    return Task.model_validate({"id": "greet", "command": "echo", "created_at": NOON, **fields})


def an_attempt(**fields: Any) -> Attempt:
    timings = Timings(created_at=NOON, started_at=after(0.091), finished_at=after(3.093))
    container = Container(name="demo-greet-1f", id="0123456789abcdef" * 4, image="runner:1")
    values: dict[str, Any] = {"number": 1, "phase": Phase.REMOVED, "container": container, "timings": timings}
    return Attempt.model_validate(values | fields)


def publish(home: Path, job: str, tasks: Sequence[Task] | None = None, **changes: Any) -> JobView:
    """Replace a job's files, as the manager does."""
    folder = Client(home).store.existing(job)
    view = folder.read()
    view = JobView(
        job=view.job.model_copy(update=changes), tasks=view.tasks if tasks is None else tuple(tasks)
    )
    if tasks is not None:
        write_durably(folder.tasks_file, tasks_text(task_text(task) for task in view.tasks))
    write_durably(folder.state_file, job_text(view.job))
    return view


def complete(home: Path, job: str) -> JobView:
    """Every task of the job has completed."""
    tasks = [
        task.model_copy(update={"status": TaskStatus.COMPLETED, "started_at": NOON, "completed_at": after(1)})
        for task in Client(home).status(job).tasks
    ]
    return publish(home, job, tasks, state=JobState.COMPLETED)


def fail(home: Path, job: str, log: str = "") -> JobView:
    """The job's first task has failed with exit code 3 after it wrote `log`; the others are skipped."""
    failure = Failure(cause="exit", message="the command ended with exit code 3", exit_code=3)
    first, *others = Client(home).status(job).tasks
    failed = first.model_copy(
        update={"status": TaskStatus.FAILED, "failure": failure, "started_at": NOON, "completed_at": after(1)}
    )
    skipped = [task.model_copy(update={"status": TaskStatus.SKIPPED}) for task in others]
    write_log(home, job, first.id, log)
    return publish(home, job, [failed, *skipped], state=JobState.FAILED, failure=failure)


def write_log(home: Path, job: str, task: str, content: str | bytes) -> Path:
    """What the task has written."""
    file = Client(home).log_file(job, task)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def hand_written(home: Path, name: str, state: str | bytes, tasks: str | bytes | None = None) -> Path:
    """A job folder as a person or an old script makes it."""
    folder = home / "jobs" / name
    folder.mkdir(parents=True)
    for file, content in (("state.json", state), ("tasks.json", tasks)):
        if content is not None:
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder
