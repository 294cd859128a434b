"""PURE. What a task's dependencies have come to, and whether it runs after that.

It is asked when all of them are over, so that the answer does not depend on which was over first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from air_executor.format.attempts import Failure
from air_executor.format.conditions import OnSkip, Outcome, RunIf
from air_executor.format.models import Task, TaskStatus


class Standing(Enum):
    """What a task that is over is to those that depend on it."""

    WELL = auto()  # they go on
    FAILED = auto()  # it failed, or never ran because of a failure or a cancel
    IDLE = auto()  # there was nothing for it to do


class Verdict(Enum):
    """What becomes of a task, by its dependencies."""

    WAIT = auto()
    RUN = auto()
    FALLEN = auto()  # it is skipped, for something before it has failed
    IDLE = auto()  # it is skipped, for nothing calls for it


def is_over(task: Task) -> bool:
    """Whether those that depend on it need not wait for it any more."""
    return task.status.ended or task.done


def standing(task: Task) -> Standing:
    """Of a task that is over."""
    match task.status, task.outcome:
        case TaskStatus.FAILED, _:
            return Standing.WELL if task.allow_failure else Standing.FAILED
        case TaskStatus.SKIPPED, Outcome.SKIPPED_BY_EXIT_CODE if task.on_skip is OnSkip.CONTINUE:
            return Standing.WELL
        case TaskStatus.SKIPPED, None:
            return Standing.FAILED
        case TaskStatus.SKIPPED, _:
            return Standing.IDLE
        case _:
            return Standing.WELL


def is_cleanup(task: Task) -> bool:
    """Whether it still runs when its job has failed."""
    return task.run_if is not RunIf.SUCCESS and bool(task.dependencies)


def outlives_cancel(task: Task) -> bool:
    """Whether it still runs when its job was cancelled: not what a task has queued, or that could go on."""
    return is_cleanup(task) and task.parent is None


@dataclass(slots=True)
class Tally:
    """How many of those that a task depends on are not over, and of the others, how many are no success."""

    missing: int = 0
    failed: int = 0
    idle: int = 0

    def count(self, one: Standing) -> None:
        """One more is over."""
        self.failed += one is Standing.FAILED
        self.idle += one is Standing.IDLE

    def verdict(self, run_if: RunIf) -> Verdict:
        """For the task whose dependencies these are."""
        if self.missing:
            return Verdict.WAIT
        match run_if:
            case RunIf.ALWAYS:
                return Verdict.RUN
            case RunIf.FAILURE:
                return Verdict.RUN if self.failed else Verdict.IDLE
            case RunIf.SUCCESS if self.failed:
                return Verdict.FALLEN
            case RunIf.SUCCESS:
                return Verdict.IDLE if self.idle else Verdict.RUN


def why_fallen(dependencies: Iterable[Task]) -> Failure:
    """Why a task never runs that depends on these: the first that has failed, or what was told of that."""
    first = next(task for task in dependencies if standing(task) is Standing.FAILED)
    if first.failure is None:  # only a record that others have written does not say it
        raise ValueError(f"nobody knows why task {first.id!r} has failed")
    if first.status is TaskStatus.SKIPPED:
        return first.failure
    return never_ran(first.failure)


def why_idle(task: Task, dependencies: Iterable[Task]) -> str:
    """Why nothing calls for a task that depends on these, in words."""
    if task.run_if is RunIf.FAILURE:
        return "never ran: nothing that it depends on has failed"
    first = next(task for task in dependencies if standing(task) is Standing.IDLE)
    return f"never ran: task {first.id!r}, which it depends on, was skipped"


def never_ran(failure: Failure) -> Failure:
    """What is said of a task that this kept from running."""
    return Failure(cause=failure.cause, message=f"never ran: {failure.message}")
