"""PURE. GPUs and runtimes that a task gets. Which GPU is whose, `core/gpu_rack` decides."""

from air_executor.errors import BadInput
from air_executor.format.gpus import number_of
from air_executor.format.models import TaskFields
from air_executor.format.runtimes import DEFAULT
from air_executor.policy.devices import check_devices
from manager.core.policy.refusals import more_than_parent
from manager.settings import Settings


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
    """What a task may have that `parent` queues, which has these. Raises BadInput.

    Who asks for a number gets some of these: any other would be one that its parent has not.
    """
    others = not isinstance(asked, int) and not set(asked or ()) <= set(has)
    if others or number_of(asked) > len(has):
        said = ", ".join(asked) if isinstance(asked, tuple) else str(asked)
        raise more_than_parent(said, ", ".join(has) or "none", "resources.gpus", parent)
    return has[:asked] if isinstance(asked, int) else asked


def bounded_runtime(asked: str | None, has: str | None, parent: str) -> str | None:
    """Likewise: the same, for nobody here knows which isolates more."""
    if asked is None or asked == (has or DEFAULT):
        return asked if has is None else has
    raise BadInput(
        f"{asked!r} is not what task {parent!r} is run by, which asks for it: {has or DEFAULT}; "
        "a task is run as the one that queues it",
        field="runtime",
    )
