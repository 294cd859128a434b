"""From folders to jobs: takes what is found, refuses what can't be a job, lets ended jobs run again."""

import logging
import uuid
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from air_executor.errors import AirExecutorError, BadInput
from air_executor.format.models import JobView, Task
from air_executor.store import JobFolder, Store
from manager.core import admission
from manager.core.live_job import LiveJob
from manager.folder import inbox as intake
from manager.folder import markers, workspace
from manager.folder.journal import Journal
from manager.folder.publisher import Publisher
from manager.model.facts import JobFound, JobRefused, ResetRequested, RetryRequested
from manager.settings import Settings

log = logging.getLogger(__name__)


class Reception:
    """Used by the supervisor's thread alone."""

    def __init__(self, store: Store, settings: Settings, journal: Journal, publisher: Publisher) -> None:
        self._store = store
        self._settings = settings
        self._journal = journal
        self._publisher = publisher

    def take(self, fact: JobFound) -> LiveJob | None:
        """The job, under a uid of its own; or None where it breaks a rule, and was refused."""
        try:
            job = admission.take(fact, uuid.uuid4().hex, self._settings)
        except BadInput as error:
            where = error.at(self._store.folder(fact.name).tasks_file)
            self.refuse(
                JobRefused(name=fact.name, job=fact.job, tasks=fact.tasks, message=str(where), at=fact.at)
            )
            return None
        log.info("job=%s taken: %d tasks", job.name, len(job.tasks))
        return job

    def refuse(self, fact: JobRefused) -> None:
        """Say in the folder's own files why it can't be a job; what can't be read is set aside.

        A job that has ended, and whose files were damaged since, gets its record back.
        """
        folder = self._store.folder(fact.name)
        ended = self._journal.ended(fact.name)
        tasks: tuple[Task, ...]
        if ended is not None and (fact.job is None or fact.job.uid == ended.job.uid):
            job, tasks = ended.job, ended.tasks
            log.warning("job=%s has ended, and its files are put right: %s", fact.name, fact.message)
        else:
            job, tasks = admission.refused(fact, self._journal.damaged.get(fact.name))
            log.error("job=%s refused: %s", fact.name, job.failure.message if job.failure else "")
        if fact.job is None:
            _set_aside(folder.state_file, fact.at)
        self._publisher.publish_refusal(folder.path, job, tasks)

    def take_again(self, fact: RetryRequested | ResetRequested) -> LiveJob | None:
        """The ended job, to go on or to start over; or None where its files do not allow it."""
        folder = self._store.folder(fact.name)
        try:
            # Not by `read`, which forgives an ended job that its tasks can't be read.
            view = JobView(job=folder.read_job(), tasks=folder.read_tasks())
            if isinstance(fact, RetryRequested):
                return self._go_on(folder, view, fact.at)
            return self._start_over(folder, view, fact.at)
        except (AirExecutorError, OSError) as error:
            log.error("job=%s can't be run again: %s", fact.name, error)
            return None
        except RecursionError:  # Python 3.11 deletes folders in folders so
            log.error("job=%s can't be run again: its work folder is nested too deeply; delete it", fact.name)
            return None

    def marker(self, fact: RetryRequested | ResetRequested) -> Path:
        """The file that asked for it."""
        folder = self._store.folder(fact.name)
        return folder.retry_marker if isinstance(fact, RetryRequested) else folder.reset_marker

    def decline(self, fact: RetryRequested | ResetRequested) -> None:
        """It can't be done; who asked may ask again."""
        markers.remove(self.marker(fact))

    def _go_on(self, folder: JobFolder, view: JobView, at: datetime) -> LiveJob:
        owner = workspace.owner_of(folder.path)
        job = admission.take_again(view, owner, uuid.uuid4().hex, self._settings, at)
        markers.remove(folder.cancel_marker)
        intake.empty_closed(folder.path)
        log.info("job=%s is tried again: %s", job.name, view.progress)
        return job

    def _start_over(self, folder: JobFolder, view: JobView, at: datetime) -> LiveJob | None:
        if not view.state.ended:
            raise BadInput(f'is "{view.state}"; only a job that has ended can start over', field="state")
        fresh = admission.afresh(folder.name, view, workspace.owner_of(folder.path), at)
        workspace.clear(folder.path)
        for marker in (folder.cancel_marker, folder.retry_marker):
            markers.remove(marker)
        log.info("job=%s starts over", folder.name)
        return self.take(fresh)


def _set_aside(file: Path, at: datetime) -> None:
    """Nothing that somebody wrote is lost, where this process may write at all."""
    with suppress(OSError):
        file.rename(file.with_name(f"{file.name}.refused-{at:%Y%m%dT%H%M%S}"))
