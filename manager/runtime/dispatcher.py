"""Hands out the acts that the state of the jobs calls for, each once, and one at a time for an attempt."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from air_executor.clock import instant, utc_now
from air_executor.format.attempts import Attempt, Grant
from air_executor.format.models import Task
from manager.core import lifecycle, planner, policy
from manager.core.image_shelf import ImageShelf
from manager.core.live_job import LiveJob
from manager.core.warm_pool import WarmPool
from manager.gates import cleanup
from manager.gates.regulars import remember
from manager.gates.warm_keeper import WarmKeeper
from manager.model import containers
from manager.model.actions import (
    EXCLUSIVE,
    KILL,
    Create,
    EngineAction,
    Hurry,
    Linger,
    Open,
    Rest,
    Signal,
    TaskAction,
    Watch,
)
from manager.model.assignment import Assignment
from manager.model.container_spec import Network
from manager.model.facts import (
    ActPostponed,
    Completion,
    ContainerRemoved,
    ContainerVoided,
    DeadlinePassed,
    Fact,
    GracePassed,
    RestPassed,
)
from manager.model.home import Home
from manager.model.values import AttemptKey, Owner, WarmOrder
from manager.runtime.acts import Acts
from manager.runtime.fetcher import Fetcher
from manager.runtime.follower import Follower
from manager.runtime.timers import Timers
from manager.runtime.workers import Workers
from manager.settings import Settings

LINGERING = 5.0
"""Seconds within which a container ends whose gate has said that nothing of its command is left. A task that
has got hold of its gate can make it say so, and stay."""


class Dispatcher:
    """From what the planner wants done to whoever does it. Used by the supervisor's thread alone."""

    def __init__(
        self,
        settings: Settings,
        home: Home,
        timers: Timers,
        workers: Workers,
        acts: Acts,
        follower: Follower,
        keeper: WarmKeeper,
        fetcher: Fetcher,
        emit: Callable[[Fact], None],
    ) -> None:
        self._settings = settings
        self._home = home
        self._timers = timers
        self._workers = workers
        self._acts = acts
        self._follower = follower
        self._keeper = keeper
        self._fetcher = fetcher
        self._emit = emit
        self._issued: dict[AttemptKey, set[TaskAction]] = {}
        self._busy: set[AttemptKey] = set()
        self._assignments: dict[AttemptKey, Assignment] = {}
        """What was worked out for an attempt: all but its record stays as it is."""
        self._postponed: list[TaskAction] = []
        """Acts that have come to nothing, until the next poll."""
        self._regulars: tuple[Owner, ...] = ()
        """The users for whom warm containers are kept, as they are written down."""

    def hand_out(self, job: LiveJob) -> None:
        """Hand out what is not under way already. The job's state must be in the journal."""
        for action in planner.actions([job]):
            issued = self._issued.setdefault(action.key, set())
            exclusive = isinstance(action, EXCLUSIVE)
            if action in issued or (exclusive and action.key in self._busy):
                continue
            self._do(action, job)
            issued.add(action)  # not where that was broken off
            if exclusive:
                self._busy.add(action.key)
        for key in job.called_off():
            self._follower.hurry(key)

    def done(self, completion: Completion) -> None:
        """An act has had its outcome; another may follow."""
        key = completion.key
        if isinstance(completion, ActPostponed):
            self._postponed.append(completion.action)
            return
        self._busy.discard(key)
        if isinstance(completion, ContainerRemoved | ContainerVoided | RestPassed):
            self._issued.pop(key, None)
            self._assignments.pop(key, None)
            self._acts.forget(key)
            self._follower.forget(key)

    def poll(self) -> None:
        """Have done again, where it is still called for, what has come to nothing."""
        for action in self._postponed:
            self._issued.get(action.key, set()).discard(action)
            if isinstance(action, EXCLUSIVE):
                self._busy.discard(action.key)
        self._postponed.clear()

    def follow_again(self, job: LiveJob, key: AttemptKey) -> None:
        """The attempt's container has ended, and it seems that nobody has noticed."""
        self._follower.follow_again(self._assignment(job, key))

    def sweep(self, container: str) -> None:
        """Remove a container that serves no attempt and no job any more."""
        self._workers.submit(partial(self._acts.sweep, container))

    def delete_works(self, names: Collection[str]) -> None:
        """Delete those of these work folders that no job needs."""
        if names:
            self._workers.submit(partial(cleanup.delete_works, self._home, names))

    # --- Images ------------------------------------------------------------------------------------------

    def fetch(self, shelf: ImageShelf) -> None:
        """Have the images fetched that the shelf wants to be."""
        for order in list(shelf.orders()):
            self._fetcher.fetch(order)

    def stop_fetching(self, shelf: ImageShelf, jobs: Mapping[str, LiveJob]) -> None:
        """Have those given up that none of these jobs waits for any more."""
        for order in list(shelf.given_up(jobs)):
            self._fetcher.give_up(order)

    # --- The warm pool -----------------------------------------------------------------------------------

    def prefetch(self, job: LiveJob, task_id: str) -> None:
        """Ask now what has to be known of its warm container as soon as the claim is on disk."""
        attempt = job.tasks[task_id].attempts[-1]
        if attempt.warm is not None:
            for question in self._keeper.prefetch(attempt.warm, attempt.container.image):
                self._workers.submit(question)

    def go_by(self, settings: Settings) -> None:
        """What follows from the engine's host is known now."""
        self._keeper.go_by(settings)

    def discard(self, warm: str) -> None:
        """Throw away a warm container that the pool has forgotten."""
        self._workers.submit(partial(self._keeper.discard, warm))

    def tend(self, pool: WarmPool, at: datetime) -> bool:
        """Have the warm containers made and thrown away that the pool wants to be. Whether there were any.

        For whom they are kept is written down.
        """
        orders, surplus = list(pool.orders(at)), list(pool.surplus(at))
        for order in orders:
            self._workers.submit(partial(self._make, order))
        for warm in surplus:
            self.discard(warm)
        if pool.regulars != self._regulars:
            self._regulars = pool.regulars
            self._workers.submit(partial(remember, self._home, pool.regulars))
        return bool(orders or surplus)

    def _make(self, order: WarmOrder) -> None:
        self._emit(self._keeper.make(order))

    # --- One action --------------------------------------------------------------------------------------

    def _do(self, action: TaskAction, job: LiveJob) -> None:
        match action:
            case Rest():
                self._rest(action)
            case Watch():
                self._watch(self._assignment(job, action.key))
            case Linger():
                self._call_overdue(action.key, LINGERING)
            case Hurry():
                self._call_overdue(action.key, self._settings.cancel_grace)
            case Signal():
                self._perform(action, job)
                if action.signal != KILL:
                    self._call_overdue(action.key, self._grace(job, action.key))
            case _:
                self._perform(action, job)

    def _grace(self, job: LiveJob, key: AttemptKey) -> float:
        own = self._assignment(job, key).grant.stop_grace
        return self._settings.cancel_grace if own is None else own

    def _call_overdue(self, key: AttemptKey, seconds: float) -> None:
        self._timers.add(seconds, lambda at: GracePassed(key=key, at=at))

    def _perform(self, action: EngineAction, job: LiveJob) -> None:
        assignment = self._assignment(job, action.key)
        perform = partial(self._acts.perform, action, assignment)
        if _may_take_a_while(action, assignment):  # no other job waits for a thread meanwhile
            with suppress(RuntimeError):  # unless the machine has no further thread
                self._workers.run_alone(f"opens {job.name}", perform)
                return
        self._workers.submit(perform)

    def _watch(self, assignment: Assignment) -> None:
        self._follower.follow(assignment)
        # From here on by the monotonic clock: a clock that jumps ends no task early.
        left = assignment.grant.timeout - lifecycle.ran(assignment.attempt, instant(), utc_now())
        key = assignment.key  # and no more: a timer may wait for hours
        self._timers.add(left, lambda at: DeadlinePassed(key=key, at=at))

    def _rest(self, rest: Rest) -> None:
        gone = (utc_now() - rest.since).total_seconds()
        left = min(max(0.0, rest.seconds - gone), rest.seconds)
        self._timers.add(left, lambda at: RestPassed(key=rest.key, at=at))

    def _assignment(self, job: LiveJob, key: AttemptKey) -> Assignment:
        task = job.tasks[key.task]
        known = self._assignments.get(key)
        assignment = self._worked_out(job, task, key) if known is None else replace(known, task=task)
        if task.dependencies and task.attempts[-1].needed:
            assignment = replace(assignment, results=job.results_for(task))
        self._assignments[key] = assignment
        return assignment

    def _worked_out(self, job: LiveJob, task: Task, key: AttemptKey) -> Assignment:
        attempt, folder, work = task.attempts[-1], self._home.jobs / job.name, self._work(job)
        name, grant = attempt.container.name, _grant_of(attempt)
        spec = containers.task_container(job.name, task, key, name, grant, work, self._home)
        network = None
        if grant.network.kind == "job":
            network = containers.network_container(
                grant.network.name, job.name, job.uid, self._home, self._settings
            )
        elif grant.network.kind == "private":
            network = containers.private_network_container(spec, self._home, self._settings)
            spec = replace(spec, network=Network("job", network.name))
        if attempt.gated and attempt.warm is None:
            spec = containers.gated(spec, self._home)
        gate = self._home.gate(attempt.warm or name)
        sharers = policy.sharers(job.users, job.runs_for, self._settings)
        whose = Assignment(key, folder, work, task, grant, spec, gate, network, sharers=sharers)
        return replace(whose, inputs=job.job.inputs)

    def _work(self, job: LiveJob) -> Path:
        if job.job.work_folder is None:
            raise ValueError(f"the job {job.name} has claimed something, and has no work folder")
        return self._home.work(job.job.work_folder)


def _may_take_a_while(action: EngineAction, assignment: Assignment) -> bool:
    """To share what is in a work folder; to have the operator's commands print secrets."""
    if isinstance(action, Open) and (assignment.grant.secrets or assignment.grant.secret_env):
        return True
    return isinstance(action, Create | Open) and len(assignment.sharers) > 1


def _grant_of(attempt: Attempt) -> Grant:
    if attempt.grant is None:
        raise ValueError(f"the attempt whose container is {attempt.container.name} has no grant")
    return attempt.grant
