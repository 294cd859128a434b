"""PURE. How much a task may have of what there is: of the host, and of the runners."""

from air_executor.errors import BadInput
from air_executor.format.models import Task, TaskFields
from manager.core.policy.memory import check_memory
from manager.model.values import Host
from manager.settings import Settings

ENOUGH_TO_SHARE = 3
"""Runners from which on one is left to other jobs."""


def check_host(task: TaskFields, host: Host, field: str = "") -> None:
    """Raises BadInput where the task asks for more than the host has: no engine can give it that."""
    check_memory(task, host, field)
    cpus = task.resources.cpus
    if cpus is not None and cpus > host.cpus:
        raise BadInput(
            f"{cpus:.10g} is more than the host has on which tasks run: {host.cpus:g} CPUs",
            field=f"{field}resources.cpus",
        )


def job_runners(task: Task, settings: Settings) -> int:
    """How many runners its job may hold when the task gets one.

    What a task has queued leaves one to other jobs, where there are enough: nobody has written down how many
    there will be of those, and how long they take.
    """
    share = settings.job_runners or settings.max_runners
    if task.parent is None:
        return share
    return min(share, settings.max_runners - (settings.max_runners >= ENOUGH_TO_SHARE))
