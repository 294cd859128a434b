"""PURE. How much memory a task gets that does not say so.

As much as leaves all tasks together what the host has: who comes from an executor without limits is not
killed at 512 MiB on a large machine, and a small one is not overrun.
"""

from air_executor.errors import BadInput
from air_executor.format.models import TaskFields
from manager.model.values import Host
from manager.settings import Settings

LEAST = 512
MOST = 8192
"""MiB. Who needs more knows it, and says so."""
STEP = 64
"""MiB; a host does not always tell the same to the byte."""


def usual_memory(settings: Settings) -> int:
    """MiB of a task that asks for none."""
    return settings.memory_mb or LEAST


def on_host(settings: Settings, host: Host) -> Settings:
    """The settings, with what follows from the host where the operator has not decided it."""
    if settings.memory_mb is not None or host.memory_mb is None:
        return settings
    share = host.memory_mb * 3 // 4 // settings.max_runners // STEP * STEP
    return settings.model_copy(update={"memory_mb": min(max(share, LEAST), MOST)})


def check_memory(task: TaskFields, host: Host, field: str = "") -> None:
    """Raises BadInput where the task asks for more than the host has: it could only be killed for it."""
    asked = task.resources.memory_mb
    if asked is not None and host.memory_mb is not None and asked > host.memory_mb:
        raise BadInput(
            f"{asked} is more than the host has on which tasks run: {host.memory_mb} MiB",
            field=f"{field}resources.memory_mb",
        )
