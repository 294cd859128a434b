"""PURE. Which GPU is whose, and who gets the next that is free.

A GPU is a task's from its claim until its container is gone, by the grants in the journals: so a manager that
comes back knows it. A task that waits for GPUs holds no runner, and those that are free are kept for it.
"""

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from air_executor.format.gpus import number_of
from air_executor.format.models import Task
from manager.core.live_job import LiveJob

LOOKED_AT = 64
"""Tasks of one job that wait for GPUs and are looked at in one round."""


class Allotment(NamedTuple):
    """The GPUs that a task gets now."""

    job: LiveJob
    task: str
    gpus: tuple[str, ...]


@dataclass
class GpuRack:
    """Told of all jobs before each round of claims (`look`), and of each claim (`take`)."""

    ids: tuple[str, ...]
    """Those that the operator has declared."""
    withheld: set[str] = field(default_factory=set)
    """Those of jobs that could not be taken up: their containers may be there."""
    _held: dict[str, str] = field(default_factory=dict)
    """The uids of the jobs that have GPUs, by these."""

    def look(self, jobs: Iterable[LiveJob]) -> None:
        """What the tasks of all jobs have that may have a container, of those that stand still as well."""
        if self.ids:
            self._held = {gpu: job.uid for job in jobs for gpu in _held_by(job)}

    def withhold(self, tasks: Iterable[Task]) -> None:
        """These are of a job that nobody minds."""
        self.withheld.update(gpu for task in tasks for gpu in _of_latest(task))

    def take(self, uid: str, gpus: Collection[str]) -> None:
        """They were claimed for a task of this job."""
        self._held |= dict.fromkeys(gpus, uid)

    def next(
        self,
        jobs: Collection[LiveJob],
        may_run: Callable[[LiveJob, str], bool],
        priority: Callable[[LiveJob], int],
    ) -> Allotment | None:
        """Who gets GPUs now; None where nobody can. `may_run` tells whether a task would get a runner.

        The highest priority comes first; among equals jobs that have none, then who has waited longest. What
        is free and not enough for a task is kept for it: it would wait for ever while others want less. But
        nothing is kept for one that wants what is withheld.
        """
        there = [gpu for gpu in self.ids if gpu not in self.withheld]
        free = [gpu for gpu in there if gpu not in self._held]
        for job, task_id in self._in_turn(jobs, priority) if free else ():
            if not free:
                return None
            asked = job.tasks[task_id].resources.gpus
            if not may_run(job, task_id) or not _can_serve(there, asked):
                continue
            wanted = tuple(free[:asked] if isinstance(asked, int) else asked or ())
            if all(gpu in free for gpu in wanted) and (not isinstance(asked, int) or len(wanted) == asked):
                return Allotment(job, task_id, wanted)
            free = [gpu for gpu in free if gpu not in wanted]
        return None

    def _in_turn(
        self, jobs: Collection[LiveJob], priority: Callable[[LiveJob], int]
    ) -> Iterator[tuple[LiveJob, str]]:
        having = set(self._held.values())
        waiting = [job for job in jobs if job.short]
        queues = [
            [(-priority(job), job.uid in having, since, place, task_id) for task_id, since in _first(job)]
            for place, job in enumerate(waiting)
        ]
        for *_, place, task_id in heapq.merge(*queues):
            yield waiting[place], task_id


def _can_serve(there: Collection[str], asked: int | tuple[str, ...] | None) -> bool:
    """Whether these are enough, were they all free."""
    return number_of(asked) <= len(there) and (isinstance(asked, int) or set(asked or ()) <= set(there))


def _first(job: LiveJob) -> Iterator[tuple[str, datetime]]:
    return islice(job.short.items(), LOOKED_AT)


def _held_by(job: LiveJob) -> Iterator[str]:
    for task_id in job.live:
        yield from _of_latest(job.tasks[task_id])


def _of_latest(task: Task) -> tuple[str, ...]:
    attempt = task.attempt
    return () if attempt is None or not attempt.live or attempt.grant is None else attempt.grant.gpus
