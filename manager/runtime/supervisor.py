"""The loop: facts in, actions out. The only place where both meet.

One thread takes a batch of facts, folds them into the jobs, decides, writes everything down with one sync
for each job, and only then hands out the actions that these decisions permit.
"""

import logging
import queue
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from air_executor.clock import instant, utc_now
from air_executor.errors import BadInput
from air_executor.failpoints import Failpoint, reach
from air_executor.store import Store
from manager.core import policy, recovery
from manager.core.live_job import LiveJob
from manager.core.reconcile import Suspects
from manager.core.scheduler import Scheduler
from manager.core.warm_pool import WarmPool
from manager.daemon.disk import Disk
from manager.folder import inbox as intake
from manager.folder import markers
from manager.folder.journal import Journal, Remembered
from manager.folder.publisher import Publisher
from manager.folder.watcher import Watcher
from manager.gates import cleanup as leftovers
from manager.model import containers
from manager.model.facts import (
    CancelRequested,
    CapabilitiesFound,
    Completion,
    ContainersListed,
    EngineChanged,
    Fact,
    Inspected,
    JobEnded,
    JobFact,
    JobFound,
    JobPublished,
    JobRefused,
    JobVanished,
    NetworkLost,
    OfAttempt,
    OfJob,
    RequestRefused,
    ResetRequested,
    RetryRequested,
    TaskRequested,
    Tick,
    WarmFailed,
    WarmReady,
)
from manager.model.home import Home
from manager.model.values import Capabilities, Owner
from manager.runtime import event_log as events
from manager.runtime.admitter import Reception
from manager.runtime.dispatcher import Dispatcher
from manager.runtime.recorder import Scribe
from manager.runtime.timers import Timers
from manager.runtime.workers import Workers
from manager.settings import Settings

log = logging.getLogger(__name__)

BATCH = 1000
LOOKS_AFTER = 3
"""Polls at which the engine is looked at although nothing goes on any more."""
LOOK_AGAIN = 0.2
"""Seconds until a job that is about to end is looked at again."""


class Supervisor:
    """Everything that is decided, is decided here, in one thread."""

    def __init__(
        self,
        *,
        store: Store,
        settings: Settings,
        home: Home,
        usual_owner: Owner,
        journal: Journal,
        publisher: Publisher,
        watcher: Watcher,
        workers: Workers,
        facts: "queue.SimpleQueue[Fact]",
        on_change: Callable[[int, str | None], None],
        on_tick: Callable[[], None],
    ) -> None:
        """`usual_owner` is whose job folders are expected. `on_change` is told how many runners are busy, and
        why work stands still, if it does; `on_tick` is called at every poll while something goes on."""
        self._store = store
        self._settings = settings
        self._home = home
        self._journal = journal
        self._publisher = publisher
        self._watcher = watcher
        self._facts = facts
        self._on_change = on_change
        self._on_tick = on_tick
        self._pool = WarmPool(
            settings,
            lambda: containers.warm_name(secrets.token_hex(5)),
            policy.usual_user(usual_owner, settings),
        )
        self._scheduler = Scheduler(home.id, settings, self._pool)
        self._reception = Reception(store, settings, journal, publisher)
        self._scribe = Scribe(store, journal, publisher)
        self._disk = Disk(settings.home, settings.min_free_mb)
        self._timers = Timers(facts.put)
        self._dispatcher = Dispatcher(store, settings, home, workers, self._timers)
        self._jobs: dict[str, LiveJob] = {}
        self._ending: dict[str, LiveJob] = {}
        """Ended in the journal; their last views are still being written."""
        self._suspects = Suspects(settings.sweep_after)
        self._engine_answers: bool | None = None
        self._quiet_polls = 0
        self._stopping = False

    # --- From outside ------------------------------------------------------------------------------------

    def restore(self, remembered: Iterable[Remembered]) -> None:
        """Take up the jobs that the journals tell of."""
        for record in remembered:
            job = self._remembered(record)
            log.info("job=%s taken up again: %s", job.name, job.view().progress)
            job.changed_tasks.update(dict.fromkeys(job.tasks))
            job.changed_requests.extend(job.requests.values())
            job.recall()
            self._adopt(job)
            folder = self._store.folder(job.name)
            folder.discard_leftovers()
            if not job.job.state.ended:
                self._scribe.answers(job, folder.retry_marker, folder.reset_marker)
            if folder.is_fresh and folder.submitted != record.submitted:
                job.vanished = True
                self._watcher.replaced(job.name)
        leftovers.clear(self._home, self._jobs.values())

    def _remembered(self, record: Remembered) -> LiveJob:
        """What an older manager claimed without a grant, gets one."""
        name = record.job.network or containers.network_name(
            self._home.id, record.job.name, record.job.uid or ""
        )
        tasks = [policy.with_grant(task, record.owner, name, self._settings) for task in record.tasks]
        return LiveJob(record.job, tasks, record.owner, max_tasks=self._settings.max_tasks)

    def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping:
            batch = self._batch()
            self._timers.run_due()
            for fact in batch:
                self._take_in(fact)
            self._decide()
            self._scribe.write_down(list(self._jobs.values()))
            self._hand_out()
            self._finish()
            self._on_change(self.runners, self._problem)

    def stop(self) -> None:
        """End after the batch at hand; containers go on. Safe to call from a signal handler."""
        self._stopping = True
        self._facts.put(Tick())

    @property
    def runners(self) -> int:
        """How many commands hold a runner."""
        return sum(job.busy for job in self._jobs.values())

    @property
    def pool(self) -> set[str]:
        """The warm containers that nobody has got."""
        return self._pool.names

    @property
    def _problem(self) -> str | None:
        """Why work stands still, where it does."""
        if self._scribe.behind:
            return f"{len(self._scribe.behind)} jobs stand still: their journals can't be written"
        if self._disk.shortage:
            return f"no further task is started: {self._disk.shortage}"
        if self._engine_answers is False:
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
            case Tick():
                self._publisher.restore()
                if self._something_goes_on():
                    self._on_tick()
            case EngineChanged():
                self._engine_changed(fact)
            case CapabilitiesFound():
                self._adapt_to(fact.capabilities)
            case WarmReady():
                if not self._pool.add(fact.warm):
                    self._dispatcher.discard(fact.warm.name)
            case WarmFailed():
                self._warm_failed(fact)
            case ContainersListed():
                self._listed(fact)
            case JobFound():
                self._found(fact)
            case JobRefused():
                self._reception.refuse(fact)
            case JobPublished():
                self._published(fact.uid)
            case RetryRequested() | ResetRequested():
                self._reopen(fact)
            case OfJob() | OfAttempt():
                self._apply(fact)

    def _apply(self, fact: JobFact) -> None:
        job = self._jobs.get(fact.uid)
        if isinstance(fact, Completion):
            self._dispatcher.done(fact)
        if job is None or (job.vanished and isinstance(fact, TaskRequested | RequestRefused)):
            return  # what is in an inbox in that place now, is another job's
        if isinstance(fact, TaskRequested):
            reach(Failpoint.REQUEST_READ)
            fact = self._admitted(fact)
        if isinstance(fact, Inspected):
            self._conclude(job, fact)
        before = job.job
        job.apply(fact)
        if isinstance(fact, TaskRequested | RequestRefused):
            forget = partial(intake.forget, self._folder(job), [fact.request])
            self._scribe.once_recorded(job, forget)
        if isinstance(fact, JobVanished):
            self._publisher.forget(job.uid)
        if job.job is not before:  # every change makes another one
            events.report(job, fact)

    def _admitted(self, fact: TaskRequested) -> TaskRequested | RequestRefused:
        try:
            policy.check(fact.spec, self._settings)
        except BadInput as error:
            return RequestRefused(uid=fact.uid, request=fact.request, reason=str(error), at=fact.at)
        return fact

    def _engine_changed(self, fact: EngineChanged) -> None:
        if fact.answers != self._engine_answers:
            if fact.answers:
                log.info("engine: %s", fact.description)
            else:
                log.warning("engine: %s; jobs wait until it does", fact.description)
                for warm in self._pool.clear():
                    self._dispatcher.discard(warm)
                self._on_tick()
        self._engine_answers = fact.answers

    def _something_goes_on(self) -> bool:
        """Whether the engine is worth a look: a manager without jobs asks nothing of it."""
        busy = self._jobs or self._ending or self._suspects or self._pool.making
        self._quiet_polls = 0 if busy or not self._engine_answers else self._quiet_polls + 1
        return self._quiet_polls <= LOOKS_AFTER

    def _adapt_to(self, able: Capabilities) -> None:
        self._scheduler.gates = able.gates is None
        self._pool.open = able.warm is None
        if able.gates is not None:
            log.warning("no container is made ahead of time: %s", able.gates)
        elif able.warm is not None:
            log.warning("no container is made for jobs that nobody knows yet: %s", able.warm)

    def _warm_failed(self, fact: WarmFailed) -> None:
        log.warning("container=%s can't be made: %s", fact.name, fact.message)
        self._pool.fail(fact.name, fact.at)

    def _conclude(self, job: LiveJob, stock: Inspected) -> None:
        """Take up an attempt that went on while no manager ran."""
        attempt = job.tasks[stock.key.task].attempts[-1]
        if stock.key not in job.unsure or not attempt.undecided:
            return
        log.info(
            "job=%s task=%s container=%s is %s; it was %s by the journal: %s",
            job.name,
            stock.key.task,
            attempt.container.name,
            stock.found,
            attempt.phase,
            recovery.verdict(attempt, stock),
        )
        for fact in recovery.conclusions(attempt, stock):
            self._apply(fact)

    def _listed(self, fact: ContainersListed) -> None:
        certain = self._suspects.review(fact, self._jobs, self._pool.names, time.monotonic())
        for container in certain.orphans:
            log.warning("container=%s serves no task any more; removing it", container)
            self._dispatcher.sweep(container)
        for uid in certain.networkless:
            self._pool.forget(uid)  # its spare has lost it too
            self._apply(NetworkLost(uid=uid, at=utc_now()))
        for key in certain.unnoticed:
            self._dispatcher.look_again(self._jobs[key.uid], key)

    # --- Folders -----------------------------------------------------------------------------------------

    def _found(self, fact: JobFound) -> None:
        reach(Failpoint.JOB_FOUND)
        job = self._reception.take(fact)
        if job is not None:
            self._adopt(job)

    def _reopen(self, fact: RetryRequested | ResetRequested) -> None:
        """Have an ended job run again. The marker goes when that is written down, or refused."""
        ending = [*self._ending.values(), *(job for job in self._jobs.values() if job.job.state.ended)]
        if any(job.name == fact.name for job in ending):
            self._timers.add(LOOK_AGAIN, lambda at: replace(fact, at=at))
            return
        reach(Failpoint.RETRY_READ)
        job = None
        if any(job.name == fact.name for job in self._jobs.values()):
            log.warning("job=%s has not ended: what was asked of it is ignored", fact.name)
        else:
            job = self._reception.take_again(fact)
        if job is None:
            self._reception.decline(fact)
            return
        self._adopt(job)
        self._scribe.answers(job, self._reception.marker(fact))

    def _adopt(self, job: LiveJob) -> None:
        self._jobs[job.uid] = job
        self._watcher.follow(job.name, job.uid)
        if markers.cancel_asked(self._store.folder(job.name)):  # before anything of it is claimed
            self._apply(CancelRequested(uid=job.uid, at=utc_now()))

    # --- Decisions ---------------------------------------------------------------------------------------

    def _decide(self) -> None:
        now = utc_now()
        self._disk.look()
        if self._engine_answers and not self._disk.shortage and not self._stopping:
            written = [job for uid, job in self._jobs.items() if uid not in self._scribe.behind]
            moment = instant()
            for claim in self._scheduler.claims(written, now, moment):
                self._apply(claim)
                self._dispatcher.foresee(self._jobs[claim.key.uid], claim.key.task)
            for claim in self._scheduler.claims_ahead(written, now, moment):
                self._apply(claim)
        for job in [job for job in self._jobs.values() if job.settled and not job.job.state.ended]:
            self._end(job, now)

    def _end(self, job: LiveJob, at: datetime) -> None:
        """End the job, unless something is still in its inbox, which is closed for that.

        Where something was, even if it was refused, there may be more: it is read in goes.
        """
        if job.vanished:
            self._apply(JobEnded(uid=job.uid, at=at))
            return
        if self._scribe.owes(job):  # or what was read just now is read again, and taken for all there is
            self._scribe.write_down([job])
        folder = self._folder(job)
        known = len(job.requests)
        intake.close(folder)
        reach(Failpoint.INBOX_CLOSED)
        for fact in intake.drain_closed(folder, job.uid, at):
            self._apply(fact)
        if job.settled and (job.failure is not None or len(job.requests) == known):
            self._apply(JobEnded(uid=job.uid, at=at))
        else:
            intake.reopen(folder)

    def _hand_out(self) -> None:
        if not self._stopping:
            written = {uid: job for uid, job in self._jobs.items() if uid not in self._scribe.behind}
            self._dispatcher.hand_out(written)
            now = utc_now()
            usable = self._engine_answers and not self._disk.shortage
            if usable and self._scheduler.grant_tending(self._jobs.values(), now):
                tended = self._dispatcher.tend(self._pool, now)
                self._quiet_polls = 0 if tended else self._quiet_polls  # what could not be removed is seen

    def _folder(self, job: LiveJob) -> Path:
        return self._store.folder(job.name).path

    # --- The end of a job --------------------------------------------------------------------------------

    def _finish(self) -> None:
        for job in [job for job in self._jobs.values() if job.job.state.ended]:
            if job.uid in self._scribe.behind:
                continue
            del self._jobs[job.uid]
            self._ending[job.uid] = job
            self._watcher.unfollow(job.name, job.uid)
            self._scheduler.forget(job.uid)
            if any(task.attempts for task in job.tasks.values()):
                self._dispatcher.end_network(job)
            if job.vanished:
                self._published(job.uid)

    def _published(self, uid: str) -> None:
        job = self._ending.pop(uid, None)
        if job is not None:
            reach(Failpoint.VIEWS_COMPLETE)
            self._journal.end(job)
