"""The loop: facts in, actions out. The only place where both meet.

One thread takes a batch of facts, folds them into the jobs, decides, writes everything down with one sync
for each job, and only then hands out the actions that these decisions permit.
"""

import logging
import queue
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.models import utc_now
from air_executor.store import Store, job_text, task_text
from manager import admission, container_spec, events, intake, planner
from manager.container_spec import Home
from manager.dispatcher import Dispatcher, Outcome
from manager.facts import (
    CancelRequested,
    ContainersListed,
    EngineChanged,
    Fact,
    JobEnded,
    JobFact,
    JobFound,
    JobPublished,
    JobRefused,
    JobVanished,
    NetworkLost,
    RequestRefused,
    ResetRequested,
    RetryRequested,
    TaskRequested,
    Tick,
)
from manager.journal import Journal, Remembered
from manager.live_job import LiveJob
from manager.publisher import Publisher, Views
from manager.recovery import orphans, without_network
from manager.settings import Settings
from manager.timers import Timers
from manager.watcher import Watcher
from manager.workers import Workers

log = logging.getLogger(__name__)

BATCH = 1000
CERTAIN_AFTER = 0.9
"""Seconds that something must look wrong, at two looks at least, before it is acted on."""


class Supervisor:
    """Everything that is decided, is decided here, in one thread."""

    def __init__(
        self,
        *,
        store: Store,
        settings: Settings,
        home: Home,
        journal: Journal,
        publisher: Publisher,
        watcher: Watcher,
        workers: Workers,
        facts: "queue.SimpleQueue[Fact]",
        on_change: Callable[[int], None],
        on_tick: Callable[[], None],
    ) -> None:
        """`on_change` is told how many runners are in use; `on_tick` is called at every poll."""
        self._store = store
        self._settings = settings
        self._home = home
        self._journal = journal
        self._publisher = publisher
        self._watcher = watcher
        self._facts = facts
        self._on_change = on_change
        self._on_tick = on_tick
        self._planner = planner.Planner(home.id, settings)
        self._timers = Timers(facts.put)
        self._dispatcher = Dispatcher(store, settings, home, workers, self._timers)
        self._jobs: dict[str, LiveJob] = {}
        self._ending: dict[str, LiveJob] = {}
        """Ended in the journal; their last views are still being written."""
        self._texts: dict[str, dict[str, str]] = {}
        self._unwritten: set[str] = set()
        """Jobs with changes that the journal has not taken: nothing is done for them."""
        self._handled: list[tuple[LiveJob, str]] = []
        """Requests whose files may go once this batch is in the journal."""
        self._suspects: dict[str, float] = {}
        """Containers that serve nobody and jobs without their network, since when (monotonic)."""
        self._engine_answers: bool | None = None
        self._stopping = False

    # --- From outside ------------------------------------------------------------------------------------

    def restore(self, remembered: Iterable[Remembered]) -> None:
        """Take up the jobs that the journals tell of."""
        for record in remembered:
            job = LiveJob(record.job, record.tasks, record.owner, max_tasks=self._settings.max_tasks)
            log.info("job=%s taken up again: %s", job.name, job.view().progress)
            job.changed_tasks.update(dict.fromkeys(job.tasks))
            self._adopt(job)

    def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping:
            batch = self._batch()
            self._timers.run_due()
            for fact in batch:
                self._take_in(fact)
            self._decide()
            self._write_down()
            self._hand_out()
            self._finish()
            self._on_change(self.runners)

    def stop(self) -> None:
        """End after the batch at hand; containers go on. Safe to call from a signal handler."""
        self._stopping = True
        self._facts.put(Tick())

    @property
    def runners(self) -> int:
        """How many containers hold a runner."""
        return sum(job.busy for job in self._jobs.values())

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
                self._on_tick()
            case EngineChanged():
                self._engine_changed(fact)
            case ContainersListed():
                self._listed(fact)
            case JobFound():
                self._found(fact)
            case JobRefused():
                self._refuse(fact)
            case JobPublished():
                self._published(fact.uid)
            case RetryRequested() | ResetRequested():
                pass
            case _:
                self._apply(fact)

    def _apply(self, fact: JobFact) -> None:
        uid = fact.uid if not hasattr(fact, "key") else fact.key.uid
        job = self._jobs.get(uid)
        if job is None:
            return
        if isinstance(fact, Outcome):
            self._dispatcher.done(fact)
        if isinstance(fact, TaskRequested):
            fact = self._admitted(fact)
        before = job.job, job.failure, len(job.changed_requests), len(job.changed_tasks)
        job.apply(fact)
        if isinstance(fact, TaskRequested | RequestRefused):
            self._handled.append((job, fact.request))
        if isinstance(fact, JobVanished):
            self._publisher.forget(job.uid)
        if before != (job.job, job.failure, len(job.changed_requests), len(job.changed_tasks)):
            events.report(job, fact)

    def _admitted(self, fact: TaskRequested) -> TaskRequested | RequestRefused:
        try:
            admission.check_policy(fact.spec, self._settings)
        except BadInput as error:
            return RequestRefused(fact.uid, fact.request, str(error), fact.at)
        return fact

    def _engine_changed(self, fact: EngineChanged) -> None:
        if fact.answers != self._engine_answers:
            if fact.answers:
                log.info("engine: %s", fact.description)
            else:
                log.warning("engine: %s; jobs wait until it does", fact.description)
                self._on_tick()
        self._engine_answers = fact.answers

    def _listed(self, fact: ContainersListed) -> None:
        """Act on what stays so for a while: at one look it may just have been about to change."""
        now = time.monotonic()
        serve_nobody = orphans(fact.containers, self._jobs)
        networkless = without_network(fact.containers, self._jobs)
        self._suspects = {each: self._suspects.get(each, now) for each in serve_nobody | networkless}
        certain = {each for each, since in self._suspects.items() if now - since >= CERTAIN_AFTER}
        for container in serve_nobody & certain:
            log.warning("container=%s serves no task any more; removing it", container)
            self._dispatcher.sweep(container)
        for uid in networkless & certain:
            self._apply(NetworkLost(uid, utc_now()))

    def _found(self, fact: JobFound) -> None:
        uid = uuid.uuid4().hex
        try:
            job = admission.take(fact, uid, self._settings)
        except BadInput as error:
            where = error.at(self._store.folder(fact.name).tasks_file)
            self._refuse(JobRefused(fact.name, fact.job, fact.tasks, str(where), fact.at))
            return
        log.info("job=%s taken: %d tasks", job.name, len(job.tasks))
        self._adopt(job)

    def _refuse(self, fact: JobRefused) -> None:
        log.error("job=%s refused: %s", fact.name, fact.message)
        job, tasks = admission.refused(fact)
        folder = self._store.folder(fact.name)
        if fact.job is None:
            _set_aside(folder.state_file, fact.at)
        texts = tuple(task_text(task) for task in tasks) or None
        uid = f"refused {fact.name}"
        self._publisher.publish(Views(uid, folder.path, job_text(job), texts, last=True))

    def _adopt(self, job: LiveJob) -> None:
        self._jobs[job.uid] = job
        self._texts[job.uid] = {}
        self._watcher.follow(job.name, job.uid)
        if self._store.folder(job.name).cancel_marker.exists():  # before anything of it is claimed
            self._apply(CancelRequested(job.uid, utc_now()))

    # --- Decisions ---------------------------------------------------------------------------------------

    def _decide(self) -> None:
        now = utc_now()
        if self._engine_answers and not self._stopping:
            for claim in self._planner.claims(list(self._jobs.values()), now):
                self._apply(claim)
        for job in [job for job in self._jobs.values() if job.settled and not job.job.state.ended]:
            self._end(job, now)

    def _end(self, job: LiveJob, at: datetime) -> None:
        """End the job, unless something is still in its inbox, which is closed for that.

        Where something was, even if it was refused, there may be more: it is read in goes.
        """
        if job.vanished:
            self._apply(JobEnded(job.uid, at))
            return
        folder = self._folder(job)
        known = len(job.requests)
        intake.close(folder)
        for fact in intake.drain(folder, job.uid, at, intake.CLOSED):
            self._apply(fact)
        if job.settled and (job.failure is not None or len(job.requests) == known):
            self._apply(JobEnded(job.uid, at))
        else:
            intake.reopen(folder)

    def _write_down(self) -> None:
        for job in list(self._jobs.values()):
            if not (job.changed_tasks or job.changed_requests or job.job_changed):
                continue
            if not self._recorded(job):
                continue
            if not job.vanished:
                self._publish(job)
            job.changed_tasks.clear()
            job.changed_requests.clear()
            job.job_changed = False
        for job, request in self._handled:
            if job.uid not in self._unwritten:
                intake.forget(self._folder(job), [request])
        self._handled.clear()

    def _publish(self, job: LiveJob) -> None:
        texts = self._texts[job.uid]
        for task_id in job.changed_tasks:
            texts[task_id] = task_text(job.tasks[task_id])
        tasks = tuple(texts[task_id] for task_id in job.tasks)
        state = job_text(job.view().job)
        self._publisher.publish(Views(job.uid, self._folder(job), state, tasks, job.job.state.ended))

    def _recorded(self, job: LiveJob) -> bool:
        """Whether the journal took it. Where the disk is full, the job stands still until it is not."""
        try:
            self._journal.record(job)
        except OSError as error:
            log.error("job=%s stands still: its journal can't be written: %s", job.name, error)
            self._unwritten.add(job.uid)
            return False
        self._unwritten.discard(job.uid)
        return True

    def _hand_out(self) -> None:
        if not self._stopping:
            written = {uid: job for uid, job in self._jobs.items() if uid not in self._unwritten}
            self._dispatcher.hand_out(written)

    def _folder(self, job: LiveJob) -> Path:
        return self._store.folder(job.name).path

    # --- The end of a job --------------------------------------------------------------------------------

    def _finish(self) -> None:
        for job in [job for job in self._jobs.values() if job.job.state.ended]:
            if job.uid in self._unwritten:
                continue
            del self._jobs[job.uid]
            self._ending[job.uid] = job
            self._watcher.unfollow(job.name, job.uid)
            self._planner.forget(job.uid)
            if any(task.attempts for task in job.tasks.values()):
                self._dispatcher.sweep(container_spec.network_name(self._home.id, job.name, job.uid))
            if job.vanished:
                self._published(job.uid)

    def _published(self, uid: str) -> None:
        job = self._ending.pop(uid, None)
        if job is not None:
            self._journal.end(job)
            self._texts.pop(uid, None)


def _set_aside(file: Path, at: datetime) -> None:
    """Nothing that somebody wrote is lost, where this process may write at all."""
    with suppress(OSError):
        file.rename(file.with_name(f"{file.name}.refused-{at:%Y%m%dT%H%M%S}"))
