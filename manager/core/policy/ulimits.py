"""PURE. Limits of a task's processes: what it gets."""

from collections.abc import Mapping

from air_executor.format.models import TaskFields
from air_executor.format.ulimits import Ulimit
from air_executor.policy.ulimits import NEEDS_LEAVE, ceiling
from manager.core.policy.refusals import more_than_parent
from manager.settings import Settings

Limits = Mapping[str, tuple[int, int]]
"""Soft and hard, by name."""


def granted_ulimits(task: TaskFields, settings: Settings) -> dict[str, tuple[int, int]]:
    """What the task gets: never more than is allowed today."""
    found = {}
    for name, limit in task.ulimits.items():
        most = ceiling(name, settings)[0]
        hard = limit.hard if most is None else int(min(limit.hard, most))
        found[name] = (min(limit.soft, hard), hard)
    return found


def bounded_ulimits(
    asked: Mapping[str, Ulimit], has: Limits, parent: str, settings: Settings
) -> dict[str, Ulimit]:
    """What a task may have that `parent` queues, which has these. Raises BadInput.

    What the parent has set holds for the child that says nothing of it.
    """
    for name, limit in asked.items():
        most = has[name][1] if name in has else _usual(name, settings)
        if most is not None and limit.hard > most:
            raise more_than_parent(f"{limit.hard}", f"{most}", f"ulimits.{name}", parent)
    inherited = {name: Ulimit(soft=soft, hard=hard) for name, (soft, hard) in has.items()}
    return inherited | dict(asked)


def _usual(name: str, settings: Settings) -> float | None:
    """What a task has that sets no such limit; None where that is no end."""
    if name in NEEDS_LEAVE:  # whatever the engine gives: less than what it has to be allowed
        return 0
    return ceiling(name, settings)[0] if name in ("nofile", "fsize") else None
