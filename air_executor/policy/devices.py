"""PURE. GPUs and runtimes: what the operator has, and allows."""

from air_executor.errors import BadInput, quoted
from air_executor.format.gpus import number_of
from air_executor.format.models import TaskFields
from air_executor.format.runtimes import DEFAULT
from air_executor.policy.rules import Policy


def check_devices(task: TaskFields, settings: Policy, field: str = "") -> None:
    """Raises BadInput where the task asks for GPUs that are not there, or a runtime that is not allowed."""
    _check_gpus(task.resources.gpus, settings, field)
    if task.runtime not in (None, DEFAULT, *settings.runtimes):
        allowed = ", ".join((DEFAULT, *settings.runtimes))
        raise BadInput(
            f"{quoted(task.runtime)} is not allowed here; allowed are {allowed} (setting `runtimes`)",
            field=f"{field}runtime",
        )


def _check_gpus(asked: int | tuple[str, ...] | None, settings: Policy, field: str) -> None:
    if asked is None:
        return
    place = f"{field}resources.gpus"
    if not settings.gpus:
        raise BadInput("this host has no GPUs declared (setting `gpus`)", field=place)
    if number_of(asked) > len(settings.gpus):
        raise BadInput(
            f"{number_of(asked)} is more than are declared here: {len(settings.gpus)} (setting `gpus`)",
            field=place,
        )
    unknown = next((each for each in _ids(asked) if each not in settings.gpus), None)
    if unknown is not None:
        raise BadInput(
            f"{quoted(unknown)} is none of those that are declared here: {', '.join(settings.gpus)} "
            "(setting `gpus`)",
            field=place,
        )


def _ids(asked: int | tuple[str, ...]) -> tuple[str, ...]:
    return () if isinstance(asked, int) else asked
