"""From folders to live jobs: takes what is found or remembered, refuses what is no job, opens ended ones."""

import logging
import os
import uuid
from collections.abc import Container
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from air_executor.clock import instant
from air_executor.errors import AirExecutorError, BadInput
from air_executor.failpoints import Failpoint, reach
from air_executor.files import Readers, open_to
from air_executor.format.inputs import check_reset
from air_executor.format.layout import STATE
from air_executor.format.limits import Bounds
from air_executor.format.models import Job, JobView, Task
from air_executor.store import JobFolder, Store
from manager.core import admission, policy
from manager.core.live_job import LiveJob
from manager.folder import markers, workspace
from manager.folder.inbox import Inbox
from manager.folder.journal import Journal, Remembered
from manager.folder.publisher import Publisher
from manager.model import containers
from manager.model.facts import (
    JobFound,
    JobRefused,
    RequestRefused,
    ResetRequested,
    RetryRequested,
    TaskRequested,
)
from manager.model.home import Home
from manager.model.values import UNKNOWN_HOST, Host, Owner, Sharing
from manager.settings import Settings

log = logging.getLogger(__name__)

VIEW_FACTOR = 4
"""How many times as large as a journal's line the view of the same may be, at most: that is indented."""


class Admitter:
    """Used by the supervisor's thread alone."""

    def __init__(
        self,
        store: Store,
        home: Home,
        settings: Settings,
        journal: Journal,
        publisher: Publisher,
        sharing: Sharing,
    ) -> None:
        self._store = store
        self._home = home
        self._settings = settings
        self._journal = journal
        self._publisher = publisher
        self._sharing = sharing
        self._host = UNKNOWN_HOST
        """What the engine runs on, as far as it was told."""

    def go_by(self, settings: Settings, host: Host) -> None:
        """What the engine runs on is known now, and what follows from that."""
        self._host, self._settings = host, settings

    def take(self, fact: JobFound) -> LiveJob | None:
        """The job, under a uid of its own; or None where it breaks a rule, and was refused."""
        try:
            uid, now = uuid.uuid4().hex, instant()
            job = admission.take(fact, uid, self._settings, self._sharing, self._host, now)
        except BadInput as error:
            where = _placed(error, self._store.folder(fact.name))
            self.refuse(JobRefused(name=fact.name, job=fact.job, message=str(where), at=fact.at))
            return None
        log.info("job=%s taken: %d tasks", job.name, len(job.tasks))
        self._let_in_readers(job.name)
        return job

    def take_up(self, record: Remembered) -> LiveJob:
        """The job that a journal tells of; what an older manager claimed without a grant, gets one."""
        job, rules = record.job, self._settings
        network = job.network or containers.network_name(self._home.id, job.name, job.uid or "")
        tasks = [policy.with_grant(task, record.owner, network, rules) for task in record.tasks]
        if tasks != list(record.tasks):
            job = job.model_copy(update={"network": network})
        # An older manager's: its work is in its folder, and moves when it is used.
        if job.work_folder is None:
            work = containers.work_name(job.name, job.uid or "")
            job = job.model_copy(update={"work_folder": work})
        live = LiveJob(job, tasks, record.owner, max_tasks=rules.max_tasks)
        log.info("job=%s taken up again: %s", live.name, live.view().progress)
        live.tell_all()
        live.recall()
        self._let_in_readers(live.name)
        return live

    def is_replaced(self, record: Remembered) -> bool:
        """Whether another job stands in the folder of the remembered one: one that nobody has taken yet."""
        folder = self._store.folder(record.job.name)
        return folder.is_fresh(self._settings.bounds) and folder.submitted != record.submitted

    def _let_in_readers(self, name: str) -> None:
        """Give the job's folder to the group that the operator has chosen; what is made in it follows."""
        group = self._settings.readers_group
        if group is not None:
            with suppress(OSError), self._store.folder(name).opened() as folder:
                open_to(folder, Readers(os.fstat(folder).st_uid, group))

    def clear_leftovers(self, job: LiveJob) -> None:
        """Remove halves of views that the manager before this one was writing."""
        self._store.folder(job.name).discard_leftovers()

    def markers(self, job: LiveJob) -> tuple[Path, Path]:
        """The files of which one may have asked for what the job does now."""
        folder = self._store.folder(job.name)
        return folder.retry_marker, folder.reset_marker

    def cancel_asked(self, job: LiveJob) -> str | None:
        """The marker by which somebody asks already that the job is stopped."""
        return markers.cancel_asked(self._store.folder(job.name))

    def checked(self, job: LiveJob, fact: TaskRequested) -> TaskRequested | RequestRefused:
        """The request as it is taken, or its refusal where what is asked for is not allowed."""
        try:
            return admission.requested(fact, job, self._settings, self._sharing, self._host)
        except BadInput as error:
            return RequestRefused(
                uid=fact.uid, request=fact.request, reason=str(error), parent=fact.parent, at=fact.at
            )

    def refuse(self, fact: JobRefused) -> None:
        """Say in the folder's `state.json` why it can't be a job; what can't be read is set aside.

        Its `tasks.json` is left as it is: what was read of a job that is none, is not ours to write. A job
        that has ended, and whose files were damaged since, gets its record back.
        """
        folder = self._store.folder(fact.name)
        ended = self._journal.ended(fact.name)
        tasks: tuple[Task, ...]
        its_own = ended is not None and self._owner_of(fact.name) == ended.owner.uid
        if ended is not None and its_own and (fact.job is None or fact.job.uid == ended.job.uid):
            job, tasks = ended.job, ended.tasks
            log.warning("job=%s has ended, and its files are put right: %s", fact.name, fact.message)
        else:
            job, tasks = admission.refused(fact, self._journal.damaged.get(fact.name)), ()
            log.error("job=%s refused: %s", fact.name, job.failure.message if job.failure else "")
        if fact.job is None:
            _set_aside(folder, fact.at)
        self._let_in_readers(fact.name)
        self._publisher.publish_refusal(folder.path, job, tasks)

    def reopen(self, fact: RetryRequested | ResetRequested, live: Container[str]) -> LiveJob | None:
        """The ended job, to go on or to start over; or None where it was refused, and the marker is gone.

        `live` are the names of jobs that have not ended.
        """
        reach(Failpoint.RETRY_READ)
        job = None
        if fact.name in live:
            log.warning("job=%s has not ended: what was asked of it is ignored", fact.name)
        else:
            job = self._reopened(fact)
        if job is None:
            markers.remove(self.marker(fact))
        return job

    def marker(self, fact: RetryRequested | ResetRequested) -> Path:
        """The file that asked for it."""
        folder = self._store.folder(fact.name)
        return folder.retry_marker if isinstance(fact, RetryRequested) else folder.reset_marker

    def _reopened(self, fact: RetryRequested | ResetRequested) -> LiveJob | None:
        folder = self._store.folder(fact.name)
        try:
            # Not by `read`, which forgives an ended job that its tasks can't be read.
            bounds = self._bounds_of(fact.name)
            view = JobView(job=folder.read_job(bounds), tasks=folder.read_tasks(bounds))
            if isinstance(fact, RetryRequested):
                return self._go_on(folder, view, fact.at)
            return self._start_over(folder, view, fact.at)
        except (AirExecutorError, OSError) as error:
            log.error("job=%s can't be run again: %s", fact.name, error)
            return None

    def _bounds_of(self, name: str) -> Bounds:
        """Views of a job that ran are as large as what was recorded of it makes them; more, others wrote."""
        usual = self._settings.bounds
        return replace(usual, bytes=max(usual.bytes, VIEW_FACTOR * self._journal.size_of_ended(name)))

    def _go_on(self, folder: JobFolder, view: JobView, at: datetime) -> LiveJob:
        owner, work = workspace.owner_of(folder.path), None
        ended = self._ended(view.job, owner)
        if ended is not None:  # the folder's group may be another by now: that of its readers
            owner, work = ended.owner, ended.job.work_folder
        uid, able = uuid.uuid4().hex, self._sharing
        rules, now = self._settings, instant()
        job = admission.take_again(view, owner, uid, work, rules, at, able, self._host, now)
        markers.remove(folder.cancel_marker)
        Inbox.of_job(folder.path).empty_closed()
        workspace.open_inbox(folder.path)
        log.info("job=%s is tried again: %s", job.name, view.progress)
        return job

    def _ended(self, job: Job, owner: Owner) -> Remembered | None:
        """Our own record of the ended job that its folder speaks of; none where that is another user's."""
        ended = self._journal.ended(job.name)
        if ended is None or (ended.job.uid, ended.owner.uid) != (job.uid, owner.uid):
            return None
        return ended

    def forget(self, name: str) -> None:
        """The folder of the ended job is gone; unless it is there again, and not another user's."""
        ended = self._journal.ended(name)
        if ended is None or self._owner_of(name) != ended.owner.uid:
            self._journal.forget(name)

    def _owner_of(self, name: str) -> int | None:
        """The user that the folder of that name belongs to; None where there is none."""
        try:
            return self._store.folder(name).owner
        except OSError:
            return None

    def _start_over(self, folder: JobFolder, view: JobView, at: datetime) -> LiveJob | None:
        if not view.state.ended:
            raise BadInput(f'is "{view.state}"; only a job that has ended can start over', field="state")
        check_reset(view.name, view.job.inputs)
        owner = workspace.owner_of(folder.path)
        ended = self._ended(view.job, owner)
        fresh = admission.afresh(folder.name, view, owner if ended is None else ended.owner, at)
        workspace.clear(folder.path, self._home.works)
        for marker in (folder.cancel_marker, folder.retry_marker):
            markers.remove(marker)
        log.info("job=%s starts over", folder.name)
        return self.take(fresh)


def _placed(error: BadInput, folder: JobFolder) -> BadInput:
    """The complaint, with the file of the two that it is about."""
    if error.field.startswith("job."):
        return BadInput(error.rule, field=error.field.removeprefix("job."), where=folder.state_file)
    return error.at(folder.tasks_file)


def _set_aside(job: JobFolder, at: datetime) -> None:
    """Nothing that somebody wrote is lost, where this process may write at all."""
    aside = f"{STATE}.refused-{at:%Y%m%dT%H%M%S}"
    with suppress(OSError), job.opened() as folder:
        os.rename(STATE, aside, src_dir_fd=folder, dst_dir_fd=folder)
