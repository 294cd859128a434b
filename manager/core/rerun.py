"""PURE. Which tasks of an ended job run again when it is tried again."""

from collections.abc import Sequence

from air_executor.format.conditions import RunIf
from air_executor.format.models import Task, TaskStatus
from manager.core import lifecycle


def rerun(tasks: Sequence[Task]) -> list[Task]:
    """All tasks; those that are to run again are pending.

    Such are what failed, and what never ran because of that; and of what comes after them, all but what has
    completed: whether it is called for is asked anew. Cleanup comes again even where it has completed.
    """
    dependants: dict[str, list[Task]] = {}
    for task in tasks:
        for dependency in task.dependencies:
            dependants.setdefault(dependency, []).append(task)
    again = {task.id for task in tasks if _is_undone(task)}
    rest = list(again)
    while rest:
        for dependant in dependants.get(rest.pop(), ()):
            if dependant.id not in again and _comes_again(dependant):
                again.add(dependant.id)
                rest.append(dependant.id)
    return [lifecycle.start_over(task) if task.id in again else task for task in tasks]


def _is_undone(task: Task) -> bool:
    """Whether it has to run for its job to complete; `outcome` is what others may have written."""
    allowed = task.status is TaskStatus.FAILED and task.allow_failure
    skipped_well = task.status is TaskStatus.SKIPPED and task.outcome is not None
    return not (task.status is TaskStatus.COMPLETED or allowed or skipped_well)


def _comes_again(task: Task) -> bool:
    return task.status is not TaskStatus.COMPLETED or task.run_if is not RunIf.SUCCESS
