"""Hands out the acts that the state of the jobs calls for, each once, and one at a time for an attempt."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from air_executor.clock import instant, utc_now
from air_executor.format.attempts import Attempt, Grant
from air_executor.format.models import Task
from air_executor.store import Store
from manager.core import lifecycle, planner
from manager.core.live_job import LiveJob
from manager.core.warm_pool import WarmPool
from manager.model import containers
from manager.model.actions import (
    EXCLUSIVE,
    Create,
    Drop,
    Inspect,
    Open,
    Remove,
    Replace,
    Rest,
    Signal,
    Start,
    TaskAction,
    Watch,
)
from manager.model.assignment import Act
from manager.model.container_spec import ContainerSpec
from manager.model.facts import (
    Completion,
    ContainerRemoved,
    ContainerVoided,
    DeadlinePassed,
    GracePassed,
    RestPassed,
)
from manager.model.home import Home
from manager.model.values import AttemptKey
from manager.runtime.timers import Timers
from manager.runtime.workers import Workers
from manager.settings import Settings


class Dispatcher:
    """From what the planner wants done to calls of the workers. Used by the supervisor's thread alone."""

    def __init__(
        self, store: Store, settings: Settings, home: Home, workers: Workers, timers: Timers
    ) -> None:
        self._store = store
        self._settings = settings
        self._home = home
        self._workers = workers
        self._timers = timers
        self._issued: dict[AttemptKey, set[TaskAction]] = {}
        self._busy: set[AttemptKey] = set()
        self._acts: dict[AttemptKey, Act] = {}
        """What was worked out for an attempt: all but its record stays as it is."""

    def hand_out(self, jobs: Mapping[str, LiveJob]) -> None:
        """Hand out what is not under way already. `jobs` are by uid; their state must be in the journal."""
        for action in planner.actions(jobs.values()):
            issued = self._issued.setdefault(action.key, set())
            exclusive = isinstance(action, EXCLUSIVE)
            if action in issued or (exclusive and action.key in self._busy):
                continue
            issued.add(action)
            if exclusive:
                self._busy.add(action.key)
            self._do(self._detail(jobs[action.key.uid], action.key), action)

    def foresee(self, job: LiveJob, task_id: str) -> None:
        """The task will be begun as soon as that is in the journal: what can be asked before, is."""
        attempt = job.tasks[task_id].attempts[-1]
        if attempt.warm is not None:
            self._workers.foresee(attempt.warm, attempt.container.image)

    def done(self, outcome: Completion) -> None:
        """An act has had its outcome; another may follow."""
        self._busy.discard(outcome.key)
        if isinstance(outcome, ContainerRemoved | ContainerVoided | RestPassed):
            self._issued.pop(outcome.key, None)
            self._acts.pop(outcome.key, None)
            self._workers.forget(outcome.key)

    def look_again(self, job: LiveJob, key: AttemptKey) -> None:
        """The attempt's container has ended, and it seems that nobody has noticed."""
        self._workers.watch_again(self._detail(job, key))

    def sweep(self, container: str) -> None:
        """Remove a container that serves no attempt and no job any more."""
        self._workers.sweep(container)

    def end_network(self, job: LiveJob) -> None:
        """The job has ended, and nobody needs its network any more."""
        if job.job.network is not None:
            self._workers.sweep(job.job.network)

    def discard(self, warm: str) -> None:
        """Throw away a warm container that the pool has forgotten."""
        self._workers.discard_warm(warm)

    def tend(self, pool: WarmPool, at: datetime) -> bool:
        """Have the warm containers made and thrown away that the pool wants to be. Whether there were any."""
        orders, surplus = list(pool.orders(at)), list(pool.surplus(at))
        for order in orders:
            self._workers.make_warm(order)
        for warm in surplus:
            self._workers.discard_warm(warm)
        return bool(orders or surplus)

    def _network(self, job: LiveJob, name: str) -> ContainerSpec:
        return containers.network_container(name, job.name, job.uid, self._home, self._settings)

    def _do(self, act: Act, action: TaskAction) -> None:
        match action:
            case Inspect():
                self._workers.take_stock(act)
            case Rest():
                self._rest(action)
            case Create():
                self._workers.create(act)
            case Start():
                self._workers.begin(act)
            case Open():
                self._workers.open(act)
            case Replace():
                self._workers.replace(act)
            case Drop():
                self._workers.drop(act)
            case Remove():
                self._workers.remove(act)
            case Watch():
                self._watch(act)
            case Signal():
                self._workers.signal(act, action.signal)
                if action.signal == "SIGTERM":
                    key = act.key
                    self._timers.add(self._settings.cancel_grace, lambda at: GracePassed(key=key, at=at))

    def _watch(self, act: Act) -> None:
        self._workers.watch(act)
        # From here on by the monotonic clock: a clock that jumps ends no task early.
        left = act.grant.timeout - lifecycle.ran(act.attempt, instant(), utc_now())
        key = act.key  # and no more: a timer may wait for hours
        self._timers.add(left, lambda at: DeadlinePassed(key=key, at=at))

    def _rest(self, rest: Rest) -> None:
        gone = (utc_now() - rest.since).total_seconds()
        left = min(max(0.0, rest.seconds - gone), rest.seconds)
        self._timers.add(left, lambda at: RestPassed(key=rest.key, at=at))

    def _detail(self, job: LiveJob, key: AttemptKey) -> Act:
        task = job.tasks[key.task]
        known = self._acts.get(key)
        act = self._worked_out(job, task, key) if known is None else replace(known, task=task)
        self._acts[key] = act
        return act

    def _worked_out(self, job: LiveJob, task: Task, key: AttemptKey) -> Act:
        folder = self._store.folder(job.name).path
        attempt = task.attempts[-1]
        name, grant = attempt.container.name, _grant_of(attempt)
        spec = containers.task_container(job.name, task, key, name, grant, folder, self._home)
        joins = grant.network.kind == "job"
        network = self._network(job, grant.network.name) if joins else None
        gate = self._home.gate(attempt.warm or name)
        if attempt.start == "ahead":
            spec = containers.gated(spec, self._home)
        return Act(key, folder, task, grant, spec, gate, network)


def _grant_of(attempt: Attempt) -> Grant:
    if attempt.grant is None:
        raise ValueError(f"attempt {attempt.number} has a container, and no grant")
    return attempt.grant
