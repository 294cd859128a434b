"""PURE. Which acts the state of each attempt calls for."""

from collections.abc import Iterable, Iterator

from air_executor.format.attempts import Attempt, Cause, Phase
from air_executor.format.models import Task
from manager.core.live_job import LiveJob
from manager.model.actions import (
    KILL,
    Create,
    Drop,
    Hurry,
    Inspect,
    Linger,
    Open,
    Remove,
    Replace,
    Rest,
    Signal,
    Start,
    TaskAction,
    Watch,
)
from manager.model.stop_signals import USUAL
from manager.model.values import AttemptKey


def actions(jobs: Iterable[LiveJob]) -> Iterator[TaskAction]:
    """Every act that the state of the live attempts calls for, whether it is under way already or not."""
    for job in jobs:
        for task_id in job.live:
            task = job.tasks[task_id]
            key = job.attempt_key(task)
            if key in job.unsure:
                yield Inspect(key)
            else:
                yield from _acts(task, key, job.overdue)
                if job.in_a_hurry and _is_being_stopped(task.attempts[-1]):
                    yield Hurry(key)
        for task_id, seconds in job.resting.items():
            task = job.tasks[task_id]
            since = task.attempts[-1].timings.recorded_at or task.created_at
            yield Rest(job.attempt_key(task), seconds, since)


def _acts(task: Task, key: AttemptKey, overdue: set[AttemptKey]) -> Iterator[TaskAction]:
    attempt = task.attempts[-1]
    match attempt.phase:
        case Phase.CLAIMED | Phase.CREATED | Phase.WAITING if attempt.stopping:
            yield Drop(key)
        case Phase.CLAIMED if attempt.premade or attempt.needed:
            yield Create(key)
        case Phase.CREATED:
            yield Start(key)
        case Phase.WAITING if attempt.stale:
            yield Replace(key)
        case Phase.WAITING if attempt.needed:
            yield Open(key)
        case Phase.RUNNING:
            yield Watch(key)
            if attempt.ended_well:
                yield Signal(key, KILL, Cause.ENGINE) if key in overdue else Linger(key)
            elif attempt.stopping:
                yield Signal(key, KILL if key in overdue else _stop_signal(attempt), attempt.stopping)
        case Phase.RECORDED:
            yield Remove(key)


def _is_being_stopped(attempt: Attempt) -> bool:
    return attempt.phase is Phase.RUNNING and attempt.stopping is not None and not attempt.ended_well


def _stop_signal(attempt: Attempt) -> str:
    """That of its image."""
    return attempt.container.stop_signal or USUAL
