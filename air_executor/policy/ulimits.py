"""PURE. Limits of a task's processes: what it may set."""

from air_executor.errors import BadInput
from air_executor.format.models import TaskFields
from air_executor.policy.rules import Policy

MIB = 1 << 20
NEEDS_LEAVE = ("core", "memlock", "msgqueue", "nice", "rtprio", "sigpending")
"""What reaches beyond the task: files and memory of the kernel, and other tasks' processors."""


def check_ulimits(task: TaskFields, settings: Policy, field: str = "") -> None:
    """Raises BadInput where the operator does not allow a limit."""
    for name, limit in task.ulimits.items():
        most, setting = ceiling(name, settings)
        if most is not None and limit.hard > most:
            raise BadInput(
                f"{limit.hard} is more than a task may ask for here: {most:.0f} (setting `{setting}`)",
                field=f"{field}ulimits.{name}",
            )


def ceiling(name: str, settings: Policy) -> tuple[float | None, str]:
    """The most that a task may have, and which setting says so; None where there is no end."""
    match name:
        case "nofile":
            return settings.open_files, "open_files"
        case "fsize":
            return settings.job_disk_mb * MIB, "job_disk_mb"
        case _:
            return settings.ulimits.get(name, 0 if name in NEEDS_LEAVE else None), "ulimits"
