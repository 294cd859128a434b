"""PURE. Limits of a task's processes: what it may set, and what it gets."""

from collections.abc import Mapping

from air_executor.errors import BadInput
from air_executor.format.models import TaskFields
from air_executor.format.ulimits import Ulimit
from manager.settings import Settings

MIB = 1 << 20
NEEDS_LEAVE = ("core", "memlock", "msgqueue", "nice", "rtprio", "sigpending")
"""What reaches beyond the task: files and memory of the kernel, and other tasks' processors."""
Limits = Mapping[str, tuple[int, int]]
"""Soft and hard, by name."""


def check_ulimits(task: TaskFields, settings: Settings, field: str = "") -> None:
    """Raises BadInput where the operator does not allow a limit."""
    for name, limit in task.ulimits.items():
        most, setting = _ceiling(name, settings)
        if most is not None and limit.hard > most:
            raise BadInput(
                f"{limit.hard} is more than a task may ask for here: {most} (setting `{setting}`)",
                field=f"{field}ulimits.{name}",
            )


def granted_ulimits(task: TaskFields, settings: Settings) -> dict[str, tuple[int, int]]:
    """What the task gets: never more than is allowed today."""
    found = {}
    for name, limit in task.ulimits.items():
        most = _ceiling(name, settings)[0]
        hard = limit.hard if most is None else min(limit.hard, most)
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
            raise BadInput(
                f"{limit.hard} is more than task {parent!r} has, which asks for it: {most}; "
                "a task gets no more than the one that queues it",
                field=f"ulimits.{name}",
            )
    inherited = {name: Ulimit(soft=soft, hard=hard) for name, (soft, hard) in has.items()}
    return inherited | dict(asked)


def _ceiling(name: str, settings: Settings) -> tuple[int | None, str]:
    """The most that a task may have, and which setting says so; None where there is no end."""
    match name:
        case "nofile":
            return settings.open_files, "open_files"
        case "fsize":
            return settings.job_disk_mb * MIB, "job_disk_mb"
        case _:
            return settings.ulimits.get(name, 0 if name in NEEDS_LEAVE else None), "ulimits"


def _usual(name: str, settings: Settings) -> int | None:
    """What a task has that sets no such limit; None where that is no end."""
    if name in NEEDS_LEAVE:  # whatever the engine gives: less than what it has to be allowed
        return 0
    return _ceiling(name, settings)[0] if name in ("nofile", "fsize") else None
