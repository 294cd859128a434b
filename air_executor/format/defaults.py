"""What a job says for all of its tasks: taken over by each task that does not say it itself."""

from collections.abc import Mapping
from typing import Any, TypeVar

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.models import TaskFields, TaskSpec

FIELD = "job.defaults"
OF_ONE_TASK = ("id", "command", "args", "dependencies")
"""What no two tasks have in common."""
MERGED = ("env", "labels")
"""Of these, a task that has its own has the job's beside them."""

Fields = TypeVar("Fields", bound=TaskFields)


def read_defaults(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are said, each as a task's. Raises BadInput."""
    for name in OF_ONE_TASK:
        if name in defaults:
            raise BadInput("is each task's own: write it into the tasks", field=f"{FIELD}.{name}")
    spec = validate(TaskSpec, {**defaults, "id": "any", "command": "any"}, FIELD)
    return {name: getattr(spec, name) for name in spec.model_fields_set if name not in OF_ONE_TASK}


def with_defaults(task: Fields, defaults: Mapping[str, Any]) -> Fields:
    """The task, with what it does not say itself. Whether a kernel can begin that is asked for again."""
    said = task.model_fields_set
    taken = {name: value for name, value in defaults.items() if name not in said}
    for name in MERGED:
        if name in defaults and name in said:
            taken[name] = defaults[name] | getattr(task, name)
    return task.model_copy(update=taken)
