"""Jobs and tasks as the text of their two files, `state.json` and `tasks.json`."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import to_json

from air_executor.format.models import Job, Task

OLD_FIELDS = (
    "id",
    "job_name",
    "command",
    "args",
    "dependencies",
    "status",
    "created_at",
    "started_at",
    "completed_at",
    "error",
)
"""Fields that older readers expect to find, in this order, even when there is nothing in them."""

PRIVATE = {"claimed", "began"}
"""What an attempt's record has for the manager alone."""
OF_THE_JOB = {"halt", "limit"}
"""Likewise, a job's."""


def job_text(job: Job) -> str:
    """A job as `state.json` holds it."""
    return job.model_dump_json(by_alias=True, indent=2, exclude_none=True, exclude=OF_THE_JOB) + "\n"


def task_text(task: Task) -> str:
    """A task as one entry of `tasks.json`."""
    old = task.model_dump(mode="json", include=set(OLD_FIELDS))
    hidden: Any = dict.fromkeys(OLD_FIELDS, True) | {"attempts": {"__all__": PRIVATE}}
    new = task.model_dump(mode="json", exclude=hidden, exclude_none=True, exclude_defaults=True)
    for entry, attempt in zip(new.get("attempts", ()), task.attempts, strict=False):
        entry["start"] = attempt.start  # also the usual one: people look for it
    new.pop("result", None)
    text = to_json({field: old[field] for field in OLD_FIELDS} | new, indent=2).decode()
    # In one line: spread over many, as all else is, it would take many times its size.
    return text if task.result is None else f'{text[:-2]},\n  "result": {task.result.text}\n}}'


def tasks_text(entries: Iterator[str] | Sequence[str]) -> str:
    """`tasks.json` from its entries."""
    return "[\n" + ",\n".join(entries) + "\n]\n"
