"""What a job says for all of its tasks: taken over by each task that does not say it itself."""

from collections.abc import Mapping
from typing import Any, TypeVar

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.models import OF_ONE_TASK, Resources, TaskFields, TaskSpec

FIELD = "job.defaults"
MERGED = ("env", "labels", "resources")
"""Of these, a task that has its own has the job's beside them."""

Fields = TypeVar("Fields", bound=TaskFields)


def read_defaults(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are said, each as a task's. Raises BadInput."""
    for name in OF_ONE_TASK:
        if name in defaults:
            raise BadInput("is each task's own: write it into the tasks", field=f"{FIELD}.{name}")
    spec = validate(TaskSpec, {**defaults, "id": "any", "command": "any"}, FIELD)
    return {name: getattr(spec, name) for name in spec.model_fields_set if name not in OF_ONE_TASK}


def filled_in(task: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The task as somebody has written it, with what it does not say itself; nothing of it is checked."""
    whole = {**defaults, **task}
    for name in defaults.keys() & task.keys() & set(MERGED):
        if isinstance(task[name], Mapping):
            whole[name] = {**_parts(defaults[name]), **task[name]}
    return whole


def with_defaults(task: Fields, defaults: Mapping[str, Any], field: str = "") -> Fields:
    """The task, with what it does not say itself. Raises BadInput below `field` where that does not fit."""
    said = task.model_fields_set
    taken = {name: value for name, value in defaults.items() if name not in said}
    for name in defaults.keys() & said & set(MERGED):
        own, usual = getattr(task, name), defaults[name]
        taken[name] = usual.model_copy(update=_parts(own)) if isinstance(own, Resources) else usual | own
    whole = task.model_copy(update=taken)
    validate(TaskFields, {name: getattr(whole, name) for name in TaskFields.model_fields}, field)
    return whole


def _parts(value: Any) -> Mapping[str, Any]:
    """What is said of a field that tasks take over part by part."""
    return value.model_dump(exclude_unset=True) if isinstance(value, Resources) else value
