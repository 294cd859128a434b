"""The loop: facts in, actions out. The only place where both meet.

One thread takes a batch of facts, folds them into the jobs, decides, writes everything down with one sync
for each job, and only then hands out the actions that these decisions permit.

What breaks in it as nobody foresaw, while it is about one job, ends that job and no other; twice, and the job
stands still. What is about no job ends the loop, and the process.
"""

import logging
import queue
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from air_executor.clock import instant, utc_now
from air_executor.failpoints import Failpoint, reach
from air_executor.format.attempts import Cause
from manager.core import policy
from manager.core.live_job import LiveJob
from manager.core.scheduler import Scheduler, Unclaimable
from manager.daemon.disk import Disk
from manager.folder.inbox import Inbox
from manager.folder.journal import Remembered
from manager.folder.watcher import Watcher
from manager.gates import cleanup
from manager.model.facts import (
    AttemptNeeded,
    CancelRequested,
    CapabilitiesFound,
    Completion,
    ContainersListed,
    EngineChanged,
    Fact,
    FolderGone,
    ImageFetched,
    Inspected,
    JobBroken,
    JobEnded,
    JobFact,
    JobFound,
    JobPublished,
    JobRefused,
    JobTimedOut,
    JobVanished,
    LaunchFailed,
    OfAttempt,
    OfFolder,
    OfJob,
    RequestRefused,
    ResetRequested,
    RetryRequested,
    TaskClaimed,
    TaskRequested,
    Tick,
    WarmFailed,
    WarmReady,
)
from manager.model.home import Home
from manager.model.values import AttemptKey, Capabilities, Host
from manager.runtime.admitter import Admitter
from manager.runtime.dispatcher import Dispatcher
from manager.runtime.reconciler import Reconciler
from manager.runtime.recorder import Recorder
from manager.runtime.timers import Timers
from manager.settings import Settings

log = logging.getLogger(__name__)

BATCH = 1000
NAMED = 5
"""Jobs that are named among those that stand still."""
LOOK_AGAIN = 0.2
"""Seconds until a job that is about to end is looked at again."""

Observer = Callable[[LiveJob, JobFact], None]
"""Is told of each fact that has changed a job, right after it did, in the loop's thread: it must be quick."""


class Supervisor:
    """Everything that is decided, is decided here, in one thread."""

    def __init__(
        self,
        *,
        settings: Settings,
        home: Home,
        facts: "queue.SimpleQueue[Fact]",
        timers: Timers,
        watcher: Watcher,
        admitter: Admitter,
        scheduler: Scheduler,
        recorder: Recorder,
        dispatcher: Dispatcher,
        reconciler: Reconciler,
        disk: Disk,
        observers: Sequence[Observer],
        on_change: Callable[[int, str | None], None],
        on_rules: Callable[[Settings], None],
    ) -> None:
        """`on_change` is told how many runners are busy, and why work stands still, if it does.

        `on_rules` is told by which settings jobs are taken, whenever the engine's host has a part in them.
        """
        self._settings = settings
        self._home = home
        self._facts = facts
        self._timers = timers
        self._watcher = watcher
        self._admitter = admitter
        self._scheduler = scheduler
        self._recorder = recorder
        self._dispatcher = dispatcher
        self._reconciler = reconciler
        self._disk = disk
        self._observers = observers
        self._on_change = on_change
        self._on_rules = on_rules
        self._jobs: dict[str, LiveJob] = {}
        self._ending: dict[str, LiveJob] = {}
        """Ended in the journal; their last views are still being written."""
        self._closing: dict[str, Inbox] = {}
        """The inboxes of jobs that are about to end, by uid: each is read in goes."""
        self._untidy = True
        """Whether there may be work folders that nobody needs."""
        self._broken: set[str] = set()
        """Jobs, by uid, that were ended by an error of our own."""
        self._aside: dict[str, str] = {}
        """Names of jobs, by uid, that stand still because of a second one; or could not be taken up."""
        self._stopping = False

    # --- From outside ------------------------------------------------------------------------------------

    def restore(self, remembered: Iterable[Remembered]) -> None:
        """Take up the jobs that the journals tell of."""
        for record in remembered:
            try:
                job = self._admitter.take_up(record)
            except Exception:
                log.critical("job=%s can't be taken up again", record.job.name, exc_info=True)
                self._aside[record.job.uid or record.job.name] = record.job.name
                self._scheduler.rack.withhold(record.tasks)
                continue
            try:
                self._take_up(job, record)
            except Exception as error:
                self._break(job, error)
        cleanup.clear(self._home, self._jobs.values())

    def _take_up(self, job: LiveJob, record: Remembered) -> None:
        self._scheduler.take_up(job)
        self._adopt(job)
        self._admitter.clear_leftovers(job)
        if not job.job.state.ended:
            self._recorder.answers(job, *self._admitter.markers(job))
        if self._admitter.is_replaced(record):
            job.vanished = True
            self._watcher.replaced(job.name)

    def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping:
            batch = self._batch()
            self._timers.run_due()
            for fact in batch:
                self._take_in(fact)
            self._decide()
            self._recorder.record(list(self._jobs.values()))
            self._hand_out()
            self._finish()
            self._on_change(self.runners, self._problem)

    def stop(self) -> None:
        """End after the batch at hand; containers go on. Safe to call from a signal handler."""
        self._stopping = True
        self._facts.put(Tick())

    @property
    def jobs(self) -> tuple[LiveJob, ...]:
        """Those that have not ended."""
        return tuple(self._jobs.values())

    @property
    def runners(self) -> int:
        """How many commands hold a runner."""
        return sum(job.busy for job in self._jobs.values())

    @property
    def _problem(self) -> str | None:
        """Why work stands still, where it does."""
        if self._recorder.behind:
            return f"{self._recorder.behind} jobs stand still: their journals can't be written"
        if self._aside:
            names = ", ".join(sorted(self._aside.values())[:NAMED])
            return (
                f"{len(self._aside)} jobs stand still after errors of the manager's own: {names}; see its log"
            )
        if self._disk.shortage:
            return f"no further task is started: {self._disk.shortage}"
        if self._reconciler.engine_answers is False:
            return "jobs wait until the container engine answers"
        return None

    # --- Facts -------------------------------------------------------------------------------------------

    def _batch(self) -> list[Fact]:
        batch: list[Fact] = []
        try:
            batch.append(self._facts.get(timeout=self._timers.pause(self._settings.poll_interval)))
            while len(batch) < BATCH:
                batch.append(self._facts.get_nowait())
        except queue.Empty:
            pass
        return batch

    def _take_in(self, fact: Fact) -> None:
        match fact:
            case OfJob() | OfAttempt():
                self._apply(fact)
                if isinstance(fact, LaunchFailed) and fact.failure.cause is Cause.IMAGE:
                    self._doubt_image_of(fact.key)
            case Tick():
                self._recorder.restore_views()
                self._dispatcher.poll()
                self._reconciler.poll(busy=bool(self._jobs or self._ending))
                if self._untidy:
                    self._tidy()
            case OfFolder():
                self._look_at(fact)
            case JobPublished():
                self._published(fact.uid)
            case EngineChanged():
                self._reconciler.engine_changed(fact)
                if fact.host is not None:
                    self._meet(fact.host)
            case ContainersListed():
                for lost in self._reconciler.listed(fact, self._jobs):
                    self._apply(lost)
            case CapabilitiesFound():
                self._adapt_to(fact.capabilities)
            case ImageFetched():
                self._supply(fact)
            case WarmReady():
                if not self._scheduler.pool.add(fact.warm):
                    self._dispatcher.discard(fact.warm.name)
            case WarmFailed():
                log.warning("container=%s can't be made: %s", fact.name, fact.message)
                self._scheduler.pool.fail(fact.name, fact.at)

    def _apply(self, fact: JobFact) -> None:
        job = self._jobs.get(fact.uid)
        if job is None:
            if isinstance(fact, Completion):
                self._dispatcher.done(fact)
        elif job.uid not in self._aside:
            try:
                self._fold_in(job, fact)
            except Exception as error:
                self._break(job, error)

    def _doubt_image_of(self, key: AttemptKey) -> None:
        """The engine has said so: what could not be fetched, is doubted by nobody."""
        job = self._jobs.get(key.uid)
        attempt = None if job is None else job.attempt(key)
        if attempt is not None:
            self._scheduler.doubt(attempt.container.image)

    def _fold_in(self, job: LiveJob, fact: JobFact) -> None:
        if isinstance(fact, Completion):
            self._dispatcher.done(fact)
        if job.vanished and isinstance(fact, TaskRequested | RequestRefused):
            return  # what is in an inbox in that place now, is another job's
        if isinstance(fact, TaskRequested):
            reach(Failpoint.REQUEST_READ)
            fact = self._admitter.checked(job, fact)
        if isinstance(fact, Inspected):
            for conclusion in self._reconciler.conclusions(job, fact):
                self._apply(conclusion)
        before = job.job
        job.apply(fact)
        if isinstance(fact, TaskRequested | RequestRefused):
            forget = partial(self._inbox(job, fact.parent).forget, [fact.request])
            self._recorder.once_recorded(job, forget)
        if isinstance(fact, JobVanished):
            self._recorder.forget_views(job)
        if job.job is not before:  # every change makes another one
            for observe in self._observers:
                observe(job, fact)

    def _tidy(self) -> None:
        """Have the work folders deleted that are no job's: those of jobs that were removed or start over."""
        self._untidy = False
        jobs = (*self._jobs.values(), *self._ending.values())
        needed = {job.job.work_folder for job in jobs} | self._scheduler.pool.names
        with suppress(OSError):
            self._dispatcher.delete_works({each.name for each in self._home.works.iterdir()} - needed)

    def _meet(self, host: Host) -> None:
        """Warm containers that were made for another host are not what tasks get on this one."""
        before, rules = self._scheduler.settings, policy.on_host(self._settings, host)
        self._admitter.go_by(rules, host)
        if rules != before:
            self._scheduler.go_by(rules)
            self._dispatcher.go_by(rules)
            self._on_rules(rules)
            for warm in self._scheduler.pool.clear():
                self._dispatcher.discard(warm)

    def _adapt_to(self, able: Capabilities) -> None:
        self._scheduler.adapt_to(able)
        if able.gates is not None:
            log.warning(
                "commands begin without a gate, and no container is made ahead of time: %s", able.gates
            )
        elif able.warm is not None:
            log.warning("no container is made for jobs that nobody knows yet: %s", able.warm)

    # --- Errors of our own -------------------------------------------------------------------------------

    def _break(self, job: LiveJob, error: BaseException) -> None:
        """End the job, where that can be done; else it stands still, and so do its containers' records."""
        log.critical("job=%s met an error of the manager's own", job.name, exc_info=error)
        if job.uid not in self._broken:
            self._broken.add(job.uid)
            message = f"the manager met an error of its own, {type(error).__name__}: see manager.log"
            self._apply(JobBroken(uid=job.uid, message=message, at=utc_now()))
        else:
            self._aside[job.uid] = job.name

    # --- Jobs that come ----------------------------------------------------------------------------------

    def _look_at(self, fact: OfFolder) -> None:
        """What can't be taken because of an error of our own is left where it is."""
        try:
            match fact:
                case JobFound():
                    self._found(fact)
                case JobRefused():
                    self._admitter.refuse(fact)
                case RetryRequested() | ResetRequested():
                    self._reopen(fact)
                case FolderGone():
                    self._admitter.forget(fact.name)
                    self._untidy = True
        except Exception:
            log.critical(
                "job=%s %s met an error of the manager's own", fact.name, type(fact).__name__, exc_info=True
            )

    def _found(self, fact: JobFound) -> None:
        reach(Failpoint.JOB_FOUND)
        job = self._admitter.take(fact)
        if job is not None:
            self._adopt(job)

    def _reopen(self, fact: RetryRequested | ResetRequested) -> None:
        """Have an ended job run again. The marker goes when that is written down, or refused."""
        ended = (job for job in self._jobs.values() if job.job.state.ended)
        if any(job.name == fact.name for job in (*self._ending.values(), *ended)):
            self._timers.add(LOOK_AGAIN, lambda at: replace(fact, at=at))
            return
        self._untidy = True
        job = self._admitter.reopen(fact, {job.name for job in self._jobs.values()})
        if job is not None:
            self._adopt(job)
            self._recorder.answers(job, self._admitter.marker(fact))

    def _adopt(self, job: LiveJob) -> None:
        self._jobs[job.uid] = job
        self._watcher.follow(job.name, job.uid)
        if marker := self._admitter.cancel_asked(job):  # before anything of it is claimed
            self._apply(CancelRequested(uid=job.uid, marker=marker, at=utc_now()))
        if job.job.limit is not None:
            left, uid = policy.time_left(job.job.limit, instant(), utc_now()), job.uid
            self._timers.add(left, lambda at: JobTimedOut(uid=uid, at=at))

    # --- Decisions ---------------------------------------------------------------------------------------

    def _decide(self) -> None:
        now = utc_now()
        self._disk.look()
        if self._may_start and not self._stopping:
            recorded, moment = list(self._recorded.values()), instant()
            self._scheduler.rack.look(self._jobs.values())
            try:
                for claim in self._scheduler.claims(recorded, now, moment):
                    self._claim(claim)
                for claim in self._scheduler.claims_ahead(recorded, now, moment):
                    self._apply(claim)
            except Unclaimable as error:
                self._break(self._jobs[error.uid], error.__cause__ or error)
        for job in [job for job in self._jobs.values() if job.settled and not job.job.state.ended]:
            try:
                self._end(job, now)
            except Exception as error:
                self._break(job, error)

    def _claim(self, claim: JobFact) -> None:
        job = self._jobs[claim.uid]
        try:
            self._fold_in(job, claim)
            if isinstance(claim, TaskClaimed | AttemptNeeded):
                self._dispatcher.prefetch(job, claim.key.task)
        except Exception as error:
            self._break(job, error)

    def _supply(self, fetched: ImageFetched) -> None:
        if not self._scheduler.shelf.take_in(fetched):
            return
        for job in list(self._jobs.values()):
            try:
                for fact in self._scheduler.supply(job, fetched):
                    self._apply(fact)
            except Exception as error:
                self._break(job, error)

    @property
    def _may_start(self) -> bool:
        """Whether anything may be started now."""
        return bool(self._reconciler.engine_answers) and not self._disk.shortage

    @property
    def _recorded(self) -> dict[str, LiveJob]:
        """The jobs that the journal has as they are; nothing is done for the others, or for what broke."""
        return {
            uid: job
            for uid, job in self._jobs.items()
            if uid not in self._aside and not self._recorder.is_behind(job)
        }

    def _end(self, job: LiveJob, at: datetime) -> None:
        """End the job, unless something is still in its inbox, which is closed for that.

        Where something was, even if it was refused, there may be more: it is read in goes.
        """
        if job.vanished:
            self._apply(JobEnded(uid=job.uid, at=at))
            return
        if self._recorder.owes(job):  # or what was read just now is read again, and taken for all there is
            self._recorder.record([job])
        inbox = self._closing.setdefault(job.uid, Inbox.of_job(self._folder(job)))
        if inbox.rest > 0:  # who floods it waits for its own end, and nobody else does
            return
        inbox.close()
        reach(Failpoint.INBOX_CLOSED)
        found = inbox.drain_closed(job.uid, at)
        known = all(fact.request in job.requests for fact in found)
        for fact in found:
            self._apply(fact)
        if job.settled and (job.failure is not None or known):
            self._apply(JobEnded(uid=job.uid, at=at))
        else:
            inbox.reopen()

    def _hand_out(self) -> None:
        if self._stopping:
            return
        for job in self._recorded.values():
            try:
                self._dispatcher.hand_out(job)
            except Exception as error:
                self._break(job, error)
        self._dispatcher.stop_fetching(self._scheduler.shelf, self._jobs)
        if self._may_start:
            self._dispatcher.fetch(self._scheduler.shelf)
        now = utc_now()
        tends = self._may_start and self._scheduler.grant_tending(self._jobs.values(), now)
        if tends and self._dispatcher.tend(self._scheduler.pool, now):
            self._reconciler.stay_awake()

    def _inbox(self, job: LiveJob, whose: AttemptKey | None) -> Inbox:
        """That of the container of an attempt, or the one in the job's folder."""
        attempt = None if whose is None else job.attempt(whose)
        if attempt is None:
            return Inbox.of_job(self._folder(job))
        return Inbox(self._home.gate(attempt.warm or attempt.container.name).inbox)

    def _folder(self, job: LiveJob) -> Path:
        return self._home.jobs / job.name

    # --- Jobs that end -----------------------------------------------------------------------------------

    def _finish(self) -> None:
        for job in [job for job in self._jobs.values() if job.job.state.ended]:
            if self._recorder.is_behind(job):
                continue
            del self._jobs[job.uid]
            self._ending[job.uid] = job
            self._watcher.unfollow(job.name, job.uid)
            self._scheduler.forget(job.uid)
            self._closing.pop(job.uid, None)
            if job.job.network is not None:
                self._dispatcher.sweep(job.job.network)
            if job.vanished:
                self._published(job.uid)
                self._untidy = True

    def _published(self, uid: str) -> None:
        job = self._ending.pop(uid, None)
        if job is not None:
            reach(Failpoint.VIEWS_COMPLETE)
            self._recorder.end(job)
            if not self._folder(job).exists():  # that it went while no manager ran, nobody else tells
                self._admitter.forget(job.name)
                self._untidy = True
