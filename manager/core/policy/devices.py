"""PURE. GPUs and runtimes: what the operator has, and allows. Which GPU is whose, `core/gpu_rack` decides."""

from air_executor.errors import BadInput, quoted
from air_executor.format.gpus import number_of
from air_executor.format.models import TaskFields
from air_executor.format.runtimes import DEFAULT
from manager.settings import Settings


def check_devices(task: TaskFields, settings: Settings, field: str = "") -> None:
    """Raises BadInput where the task asks for GPUs that are not there, or a runtime that is not allowed."""
    _check_gpus(task.resources.gpus, settings, field)
    if task.runtime not in (None, DEFAULT, *settings.runtimes):
        allowed = ", ".join((DEFAULT, *settings.runtimes))
        raise BadInput(
            f"{quoted(task.runtime)} is not allowed here; allowed are {allowed} (setting `runtimes`)",
            field=f"{field}runtime",
        )


def lack(task: TaskFields, settings: Settings) -> str | None:
    """Why the task can't have by today's settings what it was taken with; None where it can.

    Another runtime, or no GPU, is nothing that it could get in its place.
    """
    if task.resources.gpus is None and task.runtime is None:
        return None
    try:
        check_devices(task, settings)
    except BadInput as error:
        return str(error)
    return None


def is_made_late(task: TaskFields) -> bool:
    """Whether its container is made when its turn has come, and not ahead.

    A GPU is not held for a task that waits for others; and gates were tried with the usual runtime only.
    """
    return task.resources.gpus is not None or runtime_of(task) is not None


def runtime_of(task: TaskFields) -> str | None:
    """The runtime that it asks for; None for the engine's usual one."""
    return None if task.runtime == DEFAULT else task.runtime


def bounded_gpus(
    asked: int | tuple[str, ...] | None, has: tuple[str, ...], parent: str
) -> int | tuple[str, ...] | None:
    """What a task may have that `parent` queues, which has these. Raises BadInput."""
    others = not isinstance(asked, int) and not set(asked or ()) <= set(has)
    if others or number_of(asked) > len(has):
        said = ", ".join(asked) if isinstance(asked, tuple) else asked
        raise BadInput(
            f"{said} is more than task {parent!r} has, which asks for it: {', '.join(has) or 'none'}; "
            "a task gets no more than the one that queues it",
            field="resources.gpus",
        )
    return asked


def bounded_runtime(asked: str | None, has: str | None, parent: str) -> str | None:
    """Likewise: the same, for nobody here knows which isolates more."""
    if asked is None or asked == (has or DEFAULT):
        return asked if has is None else has
    raise BadInput(
        f"{asked!r} is not what task {parent!r} is run by, which asks for it: {has or DEFAULT}; "
        "a task is run as the one that queues it",
        field="runtime",
    )


def _check_gpus(asked: int | tuple[str, ...] | None, settings: Settings, field: str) -> None:
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
