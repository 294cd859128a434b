"""Writes down what has changed in jobs: first into the journal, then, by the publisher, into their views."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from air_executor.failpoints import Failpoint, reach
from air_executor.store import Store
from manager.core.live_job import LiveJob
from manager.folder.journal import Journal
from manager.folder.publisher import Changes, Publisher

log = logging.getLogger(__name__)


class Scribe:
    """Used by the supervisor's thread alone."""

    def __init__(self, store: Store, journal: Journal, publisher: Publisher) -> None:
        self._store = store
        self._journal = journal
        self._publisher = publisher
        self.behind: set[str] = set()
        """Jobs, by uid, with changes that the journal has not taken: nothing is done for them."""
        self._once_recorded: list[tuple[LiveJob, Callable[[], None]]] = []
        self._answered: dict[str, tuple[Path, ...]] = {}

    def once_recorded(self, job: LiveJob, act: Callable[[], None]) -> None:
        """Do this as soon as the journal has the job as it is now."""
        self._once_recorded.append((job, act))

    def owes(self, job: LiveJob) -> bool:
        """Whether something is still to be done once the journal has the job."""
        return any(owed is job for owed, _ in self._once_recorded)

    def answers(self, job: LiveJob, *markers: Path) -> None:
        """These asked for the job to run again: they go when its views show that it does."""
        self._answered[job.uid] = markers

    def write_down(self, jobs: Iterable[LiveJob]) -> None:
        """One sync for each job that has changed."""
        for job in jobs:
            changed = job.changed_tasks or job.changed_requests or job.job_changed
            if not changed or not self._recorded(job):
                continue
            if not job.vanished:
                self._publish(job)
            job.changed_tasks.clear()
            job.changed_requests.clear()
            job.job_changed = False
        for job, act in self._once_recorded:
            if job.uid not in self.behind:
                act()
        self._once_recorded = [entry for entry in self._once_recorded if entry[0].uid in self.behind]

    def _publish(self, job: LiveJob) -> None:
        tasks = [job.tasks[task_id] for task_id in job.changed_tasks]
        decisions = tuple(job.changed_requests)
        answered = self._answered.pop(job.uid, ())
        if answered:
            reach(Failpoint.RETRY_JOURNALED)
        folder = self._store.folder(job.name).path
        self._publisher.publish(Changes(job.uid, folder, job.job, tasks, decisions, answered))

    def _recorded(self, job: LiveJob) -> bool:
        """Whether the journal took it. Where the disk is full, the job stands still until it is not."""
        try:
            self._journal.record(job)
        except Exception as error:  # whatever it is, it must not stop the other jobs
            if job.uid not in self.behind:
                log.error("job=%s stands still: its journal can't be written: %s", job.name, error)
            self.behind.add(job.uid)
            return False
        self.behind.discard(job.uid)
        return True
