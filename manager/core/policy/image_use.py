"""PURE. How a task has its image fetched, and how it is stopped."""

from air_executor.errors import BadInput
from air_executor.format.models import TaskFields
from air_executor.policy.image_use import longest_grace
from manager.settings import Settings


def may_pull(task: TaskFields, queued: bool) -> bool:
    """Whether its image may be fetched where it is missing: not for what a task has queued."""
    return not queued and task.pull != "never"


def must_ask(task: TaskFields, queued: bool) -> bool:
    """Whether its registry is asked first, although the image is here."""
    return not queued and task.pull == "always"


def stop_grace(task: TaskFields, settings: Settings) -> float | None:
    """Seconds that its attempt gets; None where it does not say so."""
    return None if task.stop_grace is None else min(task.stop_grace, longest_grace(settings))


def bounded_pull(asked: str | None, parent: str) -> None:
    """Raises BadInput where what the task `parent` queues asks for more than is ever done for that."""
    if asked == "always":
        raise BadInput(
            f"'always' asks a registry, and nothing is pulled for what a task queues, as {parent!r} does",
            field="pull",
        )
