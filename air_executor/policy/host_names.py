"""PURE. What a task may say of hosts. None of it opens a way: what it may send to, the manager says."""

from air_executor.errors import BadInput
from air_executor.format.models import TaskFields


def check_host_names(task: TaskFields, field: str = "") -> None:
    """Raises BadInput for a name of its own that it can't have."""
    if task.hostname is not None and task.network in (None, "job"):
        raise BadInput(
            "the tasks of a job share a network, and with it one name; a task with a name of its own needs "
            '"network": "private" or "none", or one that the operator lists (setting `networks`)',
            field=f"{field}hostname",
        )
