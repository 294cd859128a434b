"""PURE. Which acts the state of each attempt calls for."""

from collections.abc import Iterable, Iterator

from air_executor.format.attempts import Phase
from air_executor.format.models import Task
from manager.core.live_job import LiveJob
from manager.model.actions import (
    Create,
    Drop,
    Inspect,
    Open,
    Remove,
    Replace,
    Rest,
    Signal,
    Start,
    TaskAction,
    Watch,
)
from manager.model.values import AttemptKey, is_spare


def actions(jobs: Iterable[LiveJob]) -> Iterator[TaskAction]:
    """Every act that the state of the live attempts calls for, whether it is under way already or not."""
    for job in jobs:
        moving_in = job.moving_in
        for task_id in job.live:
            task = job.tasks[task_id]
            key = job.attempt_key(task)
            if key in job.unsure:
                yield Inspect(key)
            elif moving_in and _waits_for_folders(task):
                continue
            else:
                yield from _acts(task, key, job.overdue)
        for task_id, seconds in job.resting.items():
            task = job.tasks[task_id]
            since = task.attempts[-1].timings.recorded_at or task.created_at
            yield Rest(job.attempt_key(task), seconds, since)


def _waits_for_folders(task: Task) -> bool:
    """What a container mounts must be the job's for good, before it is made or used."""
    attempt = task.attempts[-1]
    spare = attempt.warm is not None and is_spare(attempt.warm)
    opened_next = attempt.phase is Phase.WAITING and attempt.needed and spare
    return attempt.stopping is None and (attempt.phase is Phase.CLAIMED or opened_next)


def _acts(task: Task, key: AttemptKey, overdue: set[AttemptKey]) -> Iterator[TaskAction]:
    attempt = task.attempts[-1]
    match attempt.phase:
        case Phase.CLAIMED | Phase.CREATED | Phase.WAITING if attempt.stopping:
            yield Drop(key)
        case Phase.CLAIMED if attempt.gated or attempt.needed:
            yield Create(key)
        case Phase.CREATED:
            yield Start(key)
        case Phase.WAITING if attempt.stale:
            yield Replace(key)
        case Phase.WAITING if attempt.needed:
            yield Open(key)
        case Phase.RUNNING:
            yield Watch(key)
            if attempt.stopping:
                yield Signal(key, "SIGKILL" if key in overdue else "SIGTERM", attempt.stopping)
        case Phase.RECORDED:
            yield Remove(key)
