"""PURE. Whether a task is tried again, when, and with how much memory."""

from air_executor.format.attempts import Cause, Failure
from air_executor.format.models import RetryPolicy, Task, TaskStatus

LONGEST_REST = 3600.0
"""Seconds between two attempts at most, however often they were doubled."""


def may_retry(task: Task) -> bool:
    """Whether the policy gives the failed task another attempt."""
    return (
        task.status is TaskStatus.FAILED
        and task.failure is not None
        and task.failure.cause in task.policy.on
        and _is_curable(task.failure, task.policy)
        and len(task.attempts) - task.earlier <= task.policy.max
    )


def _is_curable(failure: Failure, policy: RetryPolicy) -> bool:
    return failure.cause is not Cause.EXIT or not policy.exit_codes or failure.exit_code in policy.exit_codes


def rest(task: Task) -> float:
    """Seconds between the task's last attempt and the next."""
    tries = len(task.attempts) - task.earlier
    if tries < 1 or task.attempts[-1].undecided:
        return 0.0
    return min(task.policy.backoff * 2.0 ** (tries - 1), max(LONGEST_REST, task.policy.backoff))


def memory_mb(task: Task, default: int, ceiling: int) -> int:
    """The memory limit of the task's next attempt, in MiB: `default`, or more where there was too little."""
    asked = task.resources.memory_mb or default
    short = sum(
        attempt.failure is not None and attempt.failure.cause is Cause.OOM
        for attempt in task.attempts[task.earlier :]
    )
    grown = asked * task.policy.memory_factor**short
    return max(asked, int(min(grown, task.policy.memory_max_mb or ceiling, ceiling)))
