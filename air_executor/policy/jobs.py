"""PURE. Whether the operator allows a job, with all of its tasks."""

from collections.abc import Sequence

from air_executor.errors import BadInput
from air_executor.format.models import TaskFields
from air_executor.format.users import Owner
from air_executor.policy.checks import check
from air_executor.policy.rules import Policy


def check_job(tasks: Sequence[TaskFields], owner: Owner, settings: Policy) -> None:
    """Whether there may be a job with these tasks in a folder of `owner`'s. Raises BadInput."""
    check_count(tasks, settings)
    for index, task in enumerate(tasks):
        check(task, owner, settings, f"tasks[{index}].")


def check_count(tasks: Sequence[TaskFields], settings: Policy) -> None:
    """Whether a job may have so many tasks. Raises BadInput."""
    if len(tasks) > settings.max_tasks:
        raise BadInput(
            f"the job has {len(tasks)} tasks, the limit is max_tasks = {settings.max_tasks:.10g}",
            field="tasks",
        )
