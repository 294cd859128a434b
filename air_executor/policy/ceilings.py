"""PURE. How much a task may ask for."""

from air_executor.errors import BadInput
from air_executor.format.models import TaskFields
from air_executor.policy.rules import Policy


def check_ceilings(task: TaskFields, settings: Policy, field: str = "") -> None:
    """Raises BadInput where the task asks for more than the operator allows."""
    limits = task.resources
    retries = None if task.retries is None else task.retries.max
    for asked, most, setting, place in (
        (limits.memory_mb, settings.max_memory_mb, "max_memory_mb", "resources.memory_mb"),
        (limits.cpus, settings.max_cpus, "max_cpus", "resources.cpus"),
        (limits.pids, settings.max_pids, "max_pids", "resources.pids"),
        (task.timeout, settings.max_timeout, "max_timeout", "timeout"),
        (retries, settings.max_retries, "max_retries", "retries"),
    ):
        if asked is not None and asked > most:
            raise BadInput(
                f"{asked:.10g} is more than a task may ask for here: {most:.10g} (setting `{setting}`)",
                field=f"{field}{place}",
            )
