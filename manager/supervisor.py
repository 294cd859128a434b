"""The loop: facts in, actions out. The only place where both meet.

One thread takes a batch of facts, folds them into the jobs, decides, writes everything down with one sync
for each job, and only then hands out the actions that these decisions permit.
"""

import logging
import queue
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.models import utc_now
from air_executor.store import Store, job_text, task_text
from manager import admission, container_spec, events, intake, planner
from manager.container_spec import Home
from manager.facts import (
    Action,
    AttemptKey,
    ContainerCreated,
    ContainerDropped,
    ContainerExited,
    ContainerLost,
    ContainerRemoved,
    ContainersListed,
    ContainerStarted,
    Create,
    DeadlinePassed,
    Drop,
    EngineChanged,
    Fact,
    GracePassed,
    JobEnded,
    JobFact,
    JobFound,
    JobPublished,
    JobRefused,
    LaunchFailed,
    NetworkLost,
    Remove,
    RequestRefused,
    Signal,
    Start,
    Sweep,
    TaskAction,
    TaskRequested,
    Tick,
    Watch,
)
from manager.journal import Journal, Remembered
from manager.live_job import LiveJob
from manager.publisher import Publisher, Views
from manager.recovery import orphans, without_network
from manager.settings import Settings
from manager.timers import Timers
from manager.watcher import Watcher
from manager.workers import Act, Workers

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
        self._workers = workers
        self._facts = facts
        self._on_change = on_change
        self._on_tick = on_tick
        self._planner = planner.Planner(home.id, settings)
        self._timers = Timers(facts.put)
        self._jobs: dict[str, LiveJob] = {}
        self._ending: dict[str, LiveJob] = {}
        """Ended in the journal; their last views are still being written."""
        self._issued: dict[AttemptKey, set[TaskAction]] = {}
        """Acts that were handed out, by attempt; each is handed out once."""
        self._busy: set[AttemptKey] = set()
        """Attempts with an act under way, apart from being watched."""
        self._texts: dict[str, dict[str, str]] = {}
        self._handled: list[tuple[LiveJob, str]] = []
        """Requests whose files may go once this batch is in the journal."""
        self._suspects: dict[str, float] = {}
        """Containers that serve nobody and jobs without their network, since when (monotonic)."""
        self._engine_answers = False
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
            self._act()
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
            case _:
                self._apply(fact)

    def _apply(self, fact: JobFact) -> None:
        uid = fact.uid if not hasattr(fact, "key") else fact.key.uid
        job = self._jobs.get(uid)
        if job is None:
            return
        if isinstance(fact, OUTCOMES):
            self._busy.discard(fact.key)
        if isinstance(fact, TaskRequested):
            fact = self._admitted(fact)
        before = job.job, job.failure, len(job.changed_requests), len(job.changed_tasks)
        job.apply(fact)
        if isinstance(fact, TaskRequested | RequestRefused):
            self._handled.append((job, fact.request))
        if isinstance(fact, ContainerRemoved):
            self._issued.pop(fact.key, None)
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
            self._do(Sweep(container))
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
        if fact.job is None and folder.state_file.exists():
            _set_aside(folder.state_file, fact.at)
        texts = tuple(task_text(task) for task in tasks) or None
        uid = f"refused {fact.name}"
        self._publisher.publish(Views(uid, folder.path, job_text(job), texts, last=True))

    def _adopt(self, job: LiveJob) -> None:
        self._jobs[job.uid] = job
        self._texts[job.uid] = {}
        self._watcher.follow(job.name, job.uid)

    # --- Decisions ---------------------------------------------------------------------------------------

    def _decide(self) -> None:
        now = utc_now()
        if self._engine_answers and not self._stopping:
            for claim in self._planner.claims(list(self._jobs.values()), now):
                self._apply(claim)
        for job in [job for job in self._jobs.values() if job.settled and not job.job.state.ended]:
            self._end(job, now)

    def _end(self, job: LiveJob, at: datetime) -> None:
        """End the job, unless something is still in its inbox, which is closed for that."""
        folder = self._folder(job)
        intake.close(folder)
        for fact in intake.drain(folder, job.uid, at, intake.CLOSED):
            self._apply(fact)
        if job.settled:
            self._apply(JobEnded(job.uid, at))
        else:
            intake.reopen(folder)

    def _write_down(self) -> None:
        for job in list(self._jobs.values()):
            if not (job.changed_tasks or job.changed_requests or job.job_changed):
                continue
            self._journal.record(job)
            texts = self._texts[job.uid]
            for task_id in job.changed_tasks:
                texts[task_id] = task_text(job.tasks[task_id])
            job.changed_tasks.clear()
            job.changed_requests.clear()
            job.job_changed = False
            self._publisher.publish(
                Views(
                    job.uid,
                    self._folder(job),
                    job_text(job.view().job),
                    tuple(texts[task_id] for task_id in job.tasks),
                    last=job.job.state.ended,
                )
            )
        for job, request in self._handled:
            intake.forget(self._folder(job), [request])
        self._handled.clear()

    # --- Actions -----------------------------------------------------------------------------------------

    def _act(self) -> None:
        if self._stopping:
            return
        for action in planner.actions(self._jobs.values()):
            issued = self._issued.setdefault(action.key, set())
            if action in issued or (action.key in self._busy and isinstance(action, EXCLUSIVE)):
                continue
            issued.add(action)
            self._do(action)

    def _do(self, action: Action) -> None:
        if isinstance(action, EXCLUSIVE):
            self._busy.add(action.key)
        match action:
            case Create():
                self._workers.create(self._detail(action.key))
            case Start():
                self._workers.begin(self._detail(action.key))
            case Drop():
                self._workers.drop(self._detail(action.key))
            case Remove():
                self._workers.remove(self._detail(action.key))
            case Watch():
                self._watch(action.key)
            case Signal():
                self._workers.signal(self._detail(action.key), action.signal)
                if action.signal == "SIGTERM":
                    self._timers.add(self._settings.cancel_grace, lambda at: GracePassed(action.key, at))
            case Sweep():
                self._workers.sweep(action.container)

    def _watch(self, key: AttemptKey) -> None:
        act = self._detail(key)
        self._workers.watch(act, act.spec.log_bytes)
        began = act.task.started_at
        if act.task.timeout is not None and began is not None:
            # From here on by the monotonic clock: a clock that jumps ends no task early.
            ran = max(0.0, (utc_now() - began).total_seconds())
            self._timers.add(act.task.timeout - ran, lambda at: DeadlinePassed(key, at))

    def _detail(self, key: AttemptKey) -> Act:
        job = self._jobs[key.uid]
        task = job.tasks[key.task]
        folder = self._folder(job)
        spec = container_spec.task_container(
            job.name, task, key, str(folder), job.owner, self._home, self._settings
        )
        network = None
        if spec.network.kind == "job":
            network = container_spec.network_container(job.name, job.uid, self._home, self._settings)
        user = container_spec.task_user(task, job.owner, self._settings)
        return Act(key, folder, task, user, spec, network)

    def _folder(self, job: LiveJob) -> Path:
        return self._store.folder(job.name).path

    # --- The end of a job --------------------------------------------------------------------------------

    def _finish(self) -> None:
        for job in [job for job in self._jobs.values() if job.job.state.ended]:
            del self._jobs[job.uid]
            self._ending[job.uid] = job
            self._watcher.unfollow(job.name)
            self._planner.forget(job.uid)
            if any(task.attempts for task in job.tasks.values()):
                self._do(Sweep(container_spec.network_name(self._home.id, job.name, job.uid)))

    def _published(self, uid: str) -> None:
        job = self._ending.pop(uid, None)
        if job is not None:
            self._journal.end(job)
            self._texts.pop(uid, None)


EXCLUSIVE = (Create, Start, Drop, Remove)
OUTCOMES = (
    ContainerCreated,
    ContainerStarted,
    ContainerDropped,
    ContainerExited,
    ContainerLost,
    ContainerRemoved,
    LaunchFailed,
)


def _set_aside(file: Path, at: datetime) -> None:
    file.rename(file.with_name(f"{file.name}.refused-{at:%Y%m%dT%H%M%S}"))
