"""The command `results`: what the tasks of a job have left, as JSON."""

import json

import typer

from air_executor.client import Client
from air_executor.errors import BadInput
from air_executor.format.models import JobView, Task
from air_executor.logs import escaped


def of_job(client: Client, job: str) -> None:
    """Print the results of all tasks that have one, by task."""
    found = {task.id: task.result.value for task in client.status(job).tasks if task.result}
    _print(json.dumps(found, indent=2, ensure_ascii=False))


def of_task(client: Client, job: str, task: str) -> None:
    """Print the result of one task, in one line. Raises BadInput where it has none."""
    found = _task(client.status(job), task)
    if found.result is None:
        why = "has not ended" if not found.status.ended else f"{found.status.value}, and left no result"
        raise BadInput(f"task {found.id!r} {why}", where=job)
    _print(found.result.text)


def _task(view: JobView, task: str) -> Task:
    for each in view.tasks:
        if each.id == task:
            return each
    raise BadInput(
        f"has no task {task!r}; `air-executor status {view.name}` lists those it has", where=view.name
    )


def _print(text: str) -> None:
    typer.echo(escaped(text))
