"""Records what has changed in jobs: first in the journal, then, by the publisher, in their views."""

import logging
from collections.abc import Callable, Collection
from pathlib import Path

from air_executor.failpoints import Failpoint, reach
from manager.core.live_job import LiveJob
from manager.folder.journal import Journal
from manager.folder.publisher import Publisher
from manager.model.changes import Changes
from manager.model.home import Home

log = logging.getLogger(__name__)


class Recorder:
    """Used by the supervisor's thread alone."""

    def __init__(self, home: Home, journal: Journal, publisher: Publisher) -> None:
        self._home = home
        self._journal = journal
        self._publisher = publisher
        self._unrecorded: dict[str, Changes] = {}
        """What the journal has not taken, by the uid of the job."""
        self._once_recorded: list[tuple[LiveJob, Callable[[], None]]] = []
        self._answered: dict[str, tuple[Path, ...]] = {}

    @property
    def behind(self) -> int:
        """How many jobs stand still because the journal has not taken what changed in them."""
        return len(self._unrecorded)

    def is_behind(self, job: LiveJob) -> bool:
        """Whether the job stands still: nothing may be done for it that the journal does not have."""
        return job.uid in self._unrecorded

    def once_recorded(self, job: LiveJob, call: Callable[[], None]) -> None:
        """Make this call as soon as the journal has the job as it is now."""
        self._once_recorded.append((job, call))

    def owes(self, job: LiveJob) -> bool:
        """Whether something is still to be done once the journal has the job."""
        return any(owed is job for owed, _ in self._once_recorded)

    def answers(self, job: LiveJob, *markers: Path) -> None:
        """These asked for the job to run again: they go when its views show that it does."""
        self._answered[job.uid] = markers

    def record(self, jobs: Collection[LiveJob]) -> None:
        """One sync for each of these jobs that has changed."""
        for job in jobs:
            changes = self._changes(job)
            if changes is not None and self._journaled(changes) and not job.vanished:
                self._publish(changes)
        recorded = {job.uid for job in jobs if not self.is_behind(job)}
        for job, call in self._once_recorded:
            if job.uid in recorded:
                _do(job, call)
        self._once_recorded = [owed for owed in self._once_recorded if owed[0].uid not in recorded]

    def restore_views(self) -> None:
        """Have a view written again that somebody else has changed or taken away."""
        self._publisher.restore()

    def forget_views(self, job: LiveJob) -> None:
        """The job's folder is gone, and its views with it."""
        self._publisher.forget(job.uid)

    def end(self, job: LiveJob) -> None:
        """The job has ended, and its last views are on disk."""
        self._journal.end(job.everything())

    def _changes(self, job: LiveJob) -> Changes | None:
        before, now = self._unrecorded.get(job.uid), job.take_changes()
        return now if before is None else before if now is None else before.followed_by(now)

    def _journaled(self, changes: Changes) -> bool:
        """Whether the journal took it. Where the disk is full, the job stands still until it is not."""
        try:
            self._journal.record(changes)
        except Exception as error:  # whatever it is, it must not stop the other jobs
            if changes.uid not in self._unrecorded:
                log.error("job=%s stands still: its journal can't be written: %s", changes.name, error)
            self._unrecorded[changes.uid] = changes
            return False
        self._unrecorded.pop(changes.uid, None)
        return True

    def _publish(self, changes: Changes) -> None:
        answered = self._answered.pop(changes.uid, ())
        if answered:
            reach(Failpoint.RETRY_JOURNALED)
        self._publisher.publish(changes, self._home.jobs / changes.name, answered)


def _do(job: LiveJob, call: Callable[[], None]) -> None:
    try:
        call()
    except Exception:  # what was owed is a file that goes: whoever reads it again does no harm
        log.exception("job=%s what was owed once it was recorded can't be done", job.name)
