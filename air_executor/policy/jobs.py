"""PURE. Whether the operator allows a job, with all of its tasks."""

from collections.abc import Sequence

from air_executor.errors import BadInput
from air_executor.format.models import Job, TaskFields
from air_executor.format.users import Owner
from air_executor.policy.checks import check
from air_executor.policy.rules import Policy
from air_executor.policy.secrets import check_secrets


def check_tasks(tasks: Sequence[TaskFields], owner: Owner, settings: Policy) -> None:
    """Whether there may be a job with these tasks in a folder of `owner`'s. Raises BadInput."""
    check_count(tasks, settings)
    for index, task in enumerate(tasks):
        check(task, owner, settings, f"tasks[{index}].")
        check_secrets(task, owner, settings, f"tasks[{index}].")


def check_job(job: Job, settings: Policy) -> None:
    """Whether the job may have all that it asks for. Raises BadInput."""
    most = settings.max_job_timeout
    if job.timeout is not None and 0 < most < job.timeout:
        raise BadInput(
            f"{job.timeout:.10g} is more than a job may ask for here: {most:.10g} "
            "(setting `max_job_timeout`)",
            field="job.timeout",
        )
    if job.priority is not None and job.priority > settings.max_priority:
        raise BadInput(
            f"{job.priority} is more than a job may ask for here: {settings.max_priority:.10g} "
            "(setting `max_priority`)",
            field="job.priority",
        )


def check_count(tasks: Sequence[TaskFields], settings: Policy) -> None:
    """Whether a job may have so many tasks. Raises BadInput."""
    if len(tasks) > settings.max_tasks:
        raise BadInput(
            f"the job has {len(tasks)} tasks, the limit is max_tasks = {settings.max_tasks:.10g}",
            field="tasks",
        )
