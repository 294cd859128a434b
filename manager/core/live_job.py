"""PURE. One job that has not ended: its tasks, and what follows from each fact for all of them together.

No files, no clock, no engine. Every fact costs time in proportion to the tasks that it touches, so a job
of 10,000 tasks is no problem.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice

from air_executor.errors import BadInput
from air_executor.format.attempts import Attempt, Cause, Failure, Phase
from air_executor.format.conditions import JobOutcome, OnFailure, Outcome, RunIf
from air_executor.format.graph import check_condition, check_dependencies
from air_executor.format.halts import Halt
from air_executor.format.limits import MAX_HANDED_OVER
from air_executor.format.models import Decision, Job, JobState, JobView, Task, TaskSpec, TaskStatus
from air_executor.format.results import Result
from manager.core import conditions, deliveries, lifecycle, retries
from manager.core.conditions import Standing, Verdict
from manager.core.ready_queue import ReadyQueue
from manager.model.changes import Changes
from manager.model.facts import (
    AttemptNeeded,
    CancelRequested,
    DiskExceeded,
    GpusLacking,
    GpusSupplied,
    GracePassed,
    ImageLacking,
    ImageSupplied,
    Inspected,
    JobBroken,
    JobEnded,
    JobFact,
    JobTimedOut,
    JobVanished,
    NetworkLost,
    OfAttempt,
    RequestRefused,
    RestPassed,
    TaskClaimed,
    TaskRequested,
)
from manager.model.values import AttemptKey, Owner

MAX_REFUSALS = 200
"""Requests that brought no task and are kept one by one: who floods an inbox must not fill the disk."""
MAX_REASON = 500
"""Characters that are kept of why a request was rejected: it may quote what was asked for."""
PROSPECTS = 64
"""Dependants of one task that are looked at: of those, a few only get a container ahead of time."""
MAX_QUEUED_BYTES = 16 << 20
"""Of all tasks together that come by requests: the views must stay readable."""


class LiveJob:
    """A taken job. `job`, `tasks` and `requests` are its record; `apply` is the only way to change it."""

    def __init__(
        self,
        job: Job,
        tasks: Iterable[Task],
        owner: Owner,
        *,
        max_tasks: int,
        bare: bool = False,
        since: datetime | None = None,
    ) -> None:
        """`since` is when its tasks could first run, where that is not its creation by its own words."""
        if job.uid is None:
            raise ValueError("a live job has a uid")
        self.uid: str = job.uid
        self.name = job.name
        self.job = job.model_copy(update={"requests": ()})
        self.owner = owner
        self.max_tasks = max_tasks
        self.bare = bare
        """Whether it has no work folder yet, so that it can get that of a warm container."""
        self.submitted: str | None = None
        """Which `state.json` it was taken from."""
        self.tasks: dict[str, Task] = {task.id: task for task in tasks}
        written = (task for task in self.tasks.values() if task.request is None)
        self.written_images = frozenset(task.image for task in written if task.image is not None)
        """Of the tasks that it was written with."""
        self.users = {task.user for task in self.tasks.values()}
        """Whom its tasks ask to run as; None for who does not say so."""
        self.requests: dict[str, Decision] = {decision.request: decision for decision in job.requests}
        self.failure: Failure | None = job.failure
        self._queue = ReadyQueue()
        self._over: deque[str] = deque()
        """Tasks that are over, and whose dependants have not been told."""
        self._cleanup: set[str] = set()
        """Tasks that are not over, and still run when the job has failed."""
        self.live: dict[str, None] = {}
        """Tasks whose latest attempt may still have a container."""
        self.unsure: set[AttemptKey] = set()
        """Attempts that went on while no manager ran; what became of them has to be found out first."""
        self.overdue: set[AttemptKey] = set()
        """Attempts that were told to stop and did not in time."""
        self.vanished = False
        """Whether its folder is gone: what stands there now, if anything, is another job's."""
        self._changed = False
        self._changed_tasks: dict[str, None] = {}
        self._decided: list[Decision] = []
        self._open = 0
        queued = sum(task.request is not None for task in self.tasks.values())
        self._refusals = max(0, len(self.requests) - queued)
        """Requests in the record that brought no task."""
        self._queued_bytes = sum(task.size for task in self.tasks.values() if task.request is not None)
        self._handed_over = sum(task.handed_over for task in self.tasks.values())
        """Bytes of what its tasks have left."""
        for task in self.tasks.values():
            self._index(task, since or job.created_at)
        for task_id in self.tasks:
            self._resolve(task_id, since or job.created_at)
        self._tell_dependants(since or job.created_at)

    # --- What others ask ---------------------------------------------------------------------------------

    @property
    def ready(self) -> Mapping[str, datetime]:
        """Tasks that could run now, in the order in which they became so, and since when."""
        return self._queue.ready

    @property
    def resting(self) -> Mapping[str, float]:
        """Tasks that could run but for the pause after their last attempt, and its length in seconds."""
        return self._queue.resting

    @property
    def lacking(self) -> Mapping[str, Mapping[str, datetime]]:
        """Tasks that could run but for their image, by that, and since when."""
        return self._queue.lacking

    @property
    def short(self) -> Mapping[str, datetime]:
        """Tasks that could run but for the GPUs that they ask for, and since when."""
        return self._queue.short

    @property
    def runs_for(self) -> Owner:
        """Whose user its tasks run as that do not say so: its own, or the owner of its folder."""
        return self.owner if self.job.runs_as is None else Owner.parse(self.job.runs_as)

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do: every task is over and every container gone."""
        return not self._open and not self.live

    @property
    def may_begin(self) -> bool:
        """Whether anything of it may still begin: in a job that has failed, cleanup at most."""
        if self.job.halt is not None:
            return self.job.halt.of == "work" and bool(self._cleanup)
        return self.failure is None or self._goes_on_after_failures or bool(self._cleanup)

    @property
    def busy(self) -> int:
        """Commands of this job that hold a runner."""
        return sum(self.tasks[task_id].attempts[-1].at_work for task_id in self.live)

    @property
    def ahead(self) -> int:
        """Containers of this job that were made ahead of time, for tasks whose turn has not come."""
        return sum(self._early(task_id) and self.tasks[task_id].attempts[-1].premade for task_id in self.live)

    def prospects(self) -> Iterator[str]:
        """Tasks that can't run yet, but for which everything that is missing is under way."""
        for task_id in list(self.live):
            for dependant in islice(self._queue.dependants(task_id), PROSPECTS):
                if self._is_prospect(self.tasks[dependant]):
                    yield dependant

    def results_for(self, task: Task) -> dict[str, Result]:
        """What the tasks have left that it depends on, as far as they have a result."""
        found = ((each, self.tasks[each].result) for each in task.dependencies)
        return {each: result for each, result in found if result is not None}

    def networked(self) -> Iterator[Task]:
        """Tasks that run, or wait at their gates, in the network which the job's tasks share."""
        for task_id in self.live:
            task = self.tasks[task_id]
            if task.network in (None, "job") and task.attempts[-1].phase in (Phase.WAITING, Phase.RUNNING):
                yield task

    def attempt(self, key: AttemptKey) -> Attempt | None:
        """The attempt with this key, where the job has it."""
        task = self.tasks.get(key.task)
        attempts = () if task is None else task.attempts[key.number - 1 : key.number]
        return next((each for each in attempts if each.incarnation == key.incarnation), None)

    def attempt_key(self, task: Task) -> AttemptKey:
        """The key of the task's latest attempt."""
        attempt = task.attempts[-1]
        return AttemptKey(self.uid, task.id, attempt.number, attempt.incarnation)

    def next_key(self, task_id: str) -> AttemptKey:
        """The key of the attempt that comes next."""
        return AttemptKey(self.uid, task_id, len(self.tasks[task_id].attempts) + 1, 1)

    def view(self) -> JobView:
        """The job and its tasks as readers see them."""
        job = self.job.model_copy(update={"requests": tuple(self.requests.values())})
        return JobView(job=job, tasks=tuple(self.tasks.values()))

    # --- What is new in it ------------------------------------------------------------------------------

    def take_changes(self) -> Changes | None:
        """What has changed since the last time that this was asked; None where nothing has."""
        if not (self._changed or self._changed_tasks or self._decided):
            return None
        changes = self._changes(map(self.tasks.__getitem__, self._changed_tasks), self._decided)
        self._changed, self._changed_tasks, self._decided = False, {}, []
        return changes

    def everything(self) -> Changes:
        """All of it, whether it has changed or not."""
        return self._changes(self.tasks.values(), self.requests.values())

    def tell_all(self) -> None:
        """Whoever asks next what has changed, is told everything: views may be missing or old."""
        self._changed_tasks.update(dict.fromkeys(self.tasks))
        self._decided = list(self.requests.values())

    def _changes(self, tasks: Iterable[Task], decisions: Iterable[Decision]) -> Changes:
        return Changes(self.owner, self.submitted, self.job, tuple(tasks), tuple(decisions))

    # --- Facts -------------------------------------------------------------------------------------------

    def apply(self, fact: JobFact) -> None:
        """Fold one fact into the job."""
        if self.job.state.ended:
            return
        match fact:
            case CancelRequested():
                self._cancel(fact)
            case JobTimedOut():
                self._time_out(fact)
            case JobVanished():
                self._vanish(fact)
            case DiskExceeded():
                self._exceed(fact)
            case TaskRequested():
                self._request(fact)
            case RequestRefused():
                if fact.request not in self.requests:
                    self._note(fact.request, None, fact.reason, fact.at)
            case NetworkLost():
                for task in list(self.networked()):
                    self._replace(lifecycle.lose_network(task), fact.at)
            case GracePassed():
                attempt = self.attempt(fact.key)
                if attempt is not None and attempt.undecided:
                    self.overdue.add(fact.key)
            case Inspected():
                self.unsure.discard(fact.key)
            case RestPassed():
                self._queue.end_rest(fact.key.task, fact.at)
            case ImageLacking():
                self._queue.put_off(fact.task, fact.image)
            case GpusLacking():
                self._queue.fall_short(fact.task)
            case GpusSupplied():
                self._queue.make_up(fact.task)
            case ImageSupplied():
                self._queue.supply(fact.image)
            case JobBroken():
                self._give_up(fact)
            case JobEnded():
                self._end(fact)
            case OfAttempt():
                self._step(fact)
            case _:
                raise TypeError(f"no job knows what to do with {fact}")
        self._tell_dependants(fact.at)

    def recall(self) -> None:
        """The job comes from a journal: what it tells of attempts may be old news."""
        for task_id in self.live:
            if self._undecided(task_id):
                self.unsure.add(self.attempt_key(self.tasks[task_id]))

    def take(self, at: datetime) -> None:
        """The manager takes the job: it is working from now on."""
        self._update_job(at, state=JobState.WORKING)
        self._changed_tasks.update(dict.fromkeys(self.tasks))

    def _fail(self, failure: Failure, at: datetime) -> None:
        """The job can't succeed any more: unless it goes on, what has not begun is skipped, but for cleanup.

        The first failure stays.
        """
        if self.failure is not None:
            return
        self.failure = failure
        self._update_job(at, failure=failure)
        self._skip_rest(failure, at)

    def _skip_rest(self, failure: Failure, at: datetime) -> None:
        """What may not begin any more, and has not."""
        not_run = conditions.never_ran(failure)
        for task in [task for task in self.tasks.values() if self._untouched(task)]:
            if not self._may_begin(task):
                self._replace(lifecycle.give_up(task, not_run, at), at)
        for task_id in [task_id for task_id in self.live if self._early(task_id)]:
            if not self._may_begin(self.tasks[task_id]):
                self._stop(task_id, failure.cause, not_run, at)

    @property
    def _goes_on_after_failures(self) -> bool:
        return self.job.on_failure is OnFailure.CONTINUE

    def _may_begin(self, task: Task) -> bool:
        """Whether nothing that became of the job keeps the task from running."""
        halt = self.job.halt
        if halt is not None:
            return halt.of == "work" and conditions.outlives_cancel(task)
        return self.failure is None or self._goes_on_after_failures or conditions.is_cleanup(task)

    @property
    def in_a_hurry(self) -> bool:
        """Whether somebody has asked twice for it to be stopped."""
        halt = self.job.halt
        return halt is not None and halt.of == "all" and halt.marker is not None

    def called_off(self) -> Iterator[AttemptKey]:
        """Attempts that are live, and of which nothing is wanted any more, even if their commands end well.

        That is not so of one whose time has passed: it may have ended before that. Nor of one that has lost
        its network, in a job that goes on.
        """
        for task_id in self.live:
            task = self.tasks[task_id]
            stopping = task.attempts[-1].stopping
            halted = self.job.halt is not None and not self._may_begin(task)
            if stopping is not None and (halted or stopping not in (Cause.TIMEOUT, Cause.ENGINE)):
                yield self.attempt_key(task)

    def _stop(self, task_id: str, cause: Cause, not_run: Failure, at: datetime) -> None:
        """Nothing is waited for where the command can't have begun: what is being made for it, is removed."""
        task = self.tasks[task_id]
        dropped = lifecycle.drop(lifecycle.stop(task, cause), not_run, at)
        self._replace(self._as_called(task, dropped, at), at)

    def _untouched(self, task: Task) -> bool:
        return task.status is TaskStatus.PENDING and not self._undecided(task.id)

    def _startable(self, task: Task) -> bool:
        """Whether it waits for a runner only. The container of an attempt before must be gone first."""
        attempt = task.attempt
        free = attempt is None or not attempt.live or (self._early(task.id) and attempt.stopping is None)
        return task.status is TaskStatus.PENDING and free and self._queue.verdict(task) is Verdict.RUN

    def _undecided(self, task_id: str) -> bool:
        attempt = self.tasks[task_id].attempt
        return attempt is not None and attempt.undecided

    def _early(self, task_id: str) -> bool:
        """Whether its attempt was claimed ahead of time, and its turn has not come."""
        attempt = self.tasks[task_id].attempt
        return attempt is not None and attempt.undecided and not attempt.needed

    def _is_prospect(self, task: Task) -> bool:
        """Not what runs after failures: as a rule there are none."""
        if not self._may_begin(task) or task.run_if is RunIf.FAILURE:
            return False
        untried = self._untouched(task) and (task.attempt is None or not task.attempt.live)
        few = 0 < self._queue.missing(task.id) <= len(self.live)  # else some have not begun: no need to look
        return untried and few and all(map(self._under_way, task.dependencies))

    def _under_way(self, task_id: str) -> bool:
        """Whether it is well, runs, or has a container made ahead: what has not begun yet, goes first."""
        task = self.tasks[task_id]
        if task.status is TaskStatus.RUNNING:
            return True
        if task.status.ended:
            return conditions.standing(task) is Standing.WELL
        return self._undecided(task_id) and task.attempts[-1].premade

    def _timely(self, fact: OfAttempt) -> bool:
        """Whether a decision still fits: it may be about a task that was skipped since."""
        match fact:
            case TaskClaimed(start="ahead"):
                return self._is_prospect(self.tasks[fact.key.task])
            case TaskClaimed(start="warm"):
                return fact.key.task in self.ready or self._is_prospect(self.tasks[fact.key.task])
            case TaskClaimed() | AttemptNeeded():
                return fact.key.task in self.ready
            case _:
                return True

    def _step(self, fact: OfAttempt) -> None:
        before = self.tasks.get(fact.key.task)
        if before is None or not self._timely(fact):
            return
        fact = deliveries.bounded(fact, MAX_HANDED_OVER - self._handed_over)
        after = lifecycle.step(before, fact, self.ready.get(before.id), self._not_run(before))
        if after is before:
            return
        after = self._as_late(before, self._as_called(before, after, fact.at))
        if isinstance(fact, TaskClaimed):
            self.bare = False
            if self.job.work_folder is None:
                self._update_job(fact.at, work_folder=fact.work)
            network = fact.grant.network
            if network.kind == "job" and self.job.network is None:
                self._update_job(fact.at, network=network.name)
            if fact.runs_as is not None and self.job.runs_as is None:
                self._update_job(fact.at, runs_as=str(fact.runs_as))
        if after.status is TaskStatus.FAILED and before.status is not TaskStatus.FAILED:  # noqa: SIM102
            if self._may_begin(after) and retries.may_retry(after):
                after = lifecycle.again(after)
        self._replace(after, fact.at)
        if after.status is TaskStatus.FAILED and after.failure is not None and not after.allow_failure:
            self._fail(after.failure, fact.at)

    def _replace(self, after: Task, at: datetime) -> None:
        before = self.tasks[after.id]
        if after is before:
            return
        self.tasks[after.id] = after
        self._changed_tasks[after.id] = None
        if (after.result, after.produced) != (before.result, before.produced):
            self._handed_over += after.handed_over - before.handed_over
        attempt = after.attempt
        if attempt is not None and attempt.live:
            self.live[after.id] = None
        else:
            self.live.pop(after.id, None)
        if attempt is not None and not attempt.undecided:
            self.unsure.discard(self.attempt_key(after))
        if before.attempt is not None and after.id not in self.live:
            self.overdue.discard(self.attempt_key(before))
        if conditions.is_over(after) and not conditions.is_over(before):
            self._over.append(after.id)
        if after.status.ended and not before.status.ended:
            self._open -= 1
            self._cleanup.discard(after.id)
        if self._startable(after):
            self._queue.offer(after, at)
        else:
            self._queue.withdraw(after.id)
        self._update_job(at)

    def _tell_dependants(self, at: datetime) -> None:
        """Of all that is over: some of them are over then as well, and theirs are told in turn."""
        while self._over:
            task_id = self._over.popleft()
            for dependant in self._queue.release(task_id, conditions.standing(self.tasks[task_id])):
                self._resolve(dependant, at)

    def _resolve(self, task_id: str, at: datetime) -> None:
        """What becomes of a task that may have nothing to wait for any more."""
        task = self.tasks[task_id]
        if self._startable(task):
            self._queue.offer(task, at)
        elif (never := self._never_called(task)) is None or task.status is not TaskStatus.PENDING:
            return
        elif self._untouched(task):
            self._replace(self._as_called(task, lifecycle.give_up(task, never, at), at), at)
        elif self._early(task_id):
            self._stop(task_id, Cause.CANCELLED, never, at)

    def _not_run(self, task: Task) -> Failure | None:
        """Why the task does not run any more, where that is so."""
        failure = self.failure if self.job.halt is None else self.job.halt.failure
        if failure is not None and not self._may_begin(task):
            return conditions.never_ran(failure)
        return self._never_called(task)

    def _never_called(self, task: Task) -> Failure | None:
        """Why the task never runs, where what it depends on is over and does not call for it."""
        dependencies = (self.tasks[each] for each in task.dependencies)
        match self._queue.verdict(task):
            case Verdict.FALLEN:
                return conditions.why_fallen(dependencies)
            case Verdict.IDLE:
                return Failure(cause=Cause.CANCELLED, message=conditions.why_idle(task, dependencies))
            case _:
                return None

    def _as_called(self, before: Task, after: Task, at: datetime) -> Task:
        """The task after a step. Where that ended it and nothing had called for it, no failure is why."""
        ends = after.status.ended and not before.status.ended
        if not ends or self._queue.verdict(after) is not Verdict.IDLE:
            return after
        dependencies = (self.tasks[each] for each in after.dependencies)
        return lifecycle.pass_over(after, conditions.why_idle(after, dependencies), at)

    def _as_late(self, before: Task, after: Task) -> Task:
        """The task after a step. Where that ended it since its job's time was over, this is why."""
        halt, limit = self.job.halt, self.job.limit
        fails = after.status is TaskStatus.FAILED and before.status is not TaskStatus.FAILED
        if not fails or halt is None or limit is None or conditions.outlives_cancel(after):
            return after
        return lifecycle.ended_late(after, limit.seconds) if halt.failure.cause is Cause.TIMEOUT else after

    def _standing(self, task_id: str) -> Standing | None:
        task = self.tasks[task_id]
        return conditions.standing(task) if conditions.is_over(task) else None

    def _index(self, task: Task, at: datetime) -> None:
        """Enter a task into the graph; those it depends on need not be entered yet."""
        self._queue.enter(task, self._standing)
        if not task.status.ended:
            self._open += 1
            if conditions.is_cleanup(task):
                self._cleanup.add(task.id)
        attempt = task.attempt
        if attempt is not None and attempt.live:
            self.live[task.id] = None
        if self._startable(task):
            self._queue.offer(task, max([at, *self._ends_before(task)]))

    def _ends_before(self, task: Task) -> Iterator[datetime]:
        """When what it waited for was over; of an attempt before it as well."""
        attempts = [self.tasks[dependency].attempt for dependency in task.dependencies]
        for attempt in (*attempts, task.attempt):
            if attempt is not None and attempt.over_at is not None:
                yield attempt.over_at

    def _cancel(self, fact: CancelRequested) -> None:
        """The first one leaves cleanup alone; one that was asked for after that, does not."""
        halt = self.job.halt
        if not self._open or (halt is not None and halt.marker == fact.marker):
            return
        failure = Failure(
            cause=Cause.CANCELLED, message=f"job {self.name!r} was cancelled: somebody asked for it"
        )
        if halt is None:
            self._call_off(failure, Halt(of="work", failure=failure, marker=fact.marker), fact.at)
        elif halt.marker is None:  # its time was over before
            self._update_job(fact.at, halt=halt.model_copy(update={"marker": fact.marker}))
        else:
            self._call_off(failure, halt.model_copy(update={"of": "all", "marker": fact.marker}), fact.at)

    def _time_out(self, fact: JobTimedOut) -> None:
        limit = self.job.limit
        if not self._open or limit is None or self.job.halt is not None:
            return
        message = f"job {self.name!r} was stopped: it took longer than its timeout of {limit.seconds:g} s"
        failure = Failure(cause=Cause.TIMEOUT, message=message)
        self._call_off(failure, Halt(of="work", failure=failure), fact.at)

    def _vanish(self, fact: JobVanished) -> None:
        self.vanished = True
        if self._open:
            message = f"job {self.name!r} was cancelled: its folder was deleted"
            self._end_all(Failure(cause=Cause.CANCELLED, message=message), fact.at)

    def _give_up(self, fact: JobBroken) -> None:
        message = f"job {self.name!r} was stopped: {fact.message}"
        self._end_all(Failure(cause=Cause.ENGINE, message=message), fact.at)

    def _end_all(self, failure: Failure, at: datetime) -> None:
        """Cleanup as well."""
        self._call_off(failure, self._halt_of_all(failure), at)

    def _halt_of_all(self, failure: Failure) -> Halt:
        halt = self.job.halt or Halt(of="all", failure=failure)
        return halt.model_copy(update={"of": "all"})

    def _call_off(self, failure: Failure, halt: Halt, at: datetime) -> None:
        """The job has failed, and what runs is stopped, as far as `halt` goes."""
        self._halt(failure, halt, at)
        for task_id in list(self.live):
            if not self._may_begin(self.tasks[task_id]):
                self._stop(task_id, Cause.CANCELLED, conditions.never_ran(self.failure or failure), at)

    def _halt(self, failure: Failure, halt: Halt, at: datetime) -> None:
        """Nothing begins any more, as far as `halt` goes."""
        if self.job.halt != halt:
            self._update_job(at, halt=halt)
            if self.failure is None:
                self._fail(failure, at)
            else:
                self._skip_rest(failure, at)

    def _exceed(self, fact: DiskExceeded) -> None:
        """Nothing of it gets a grace, in which it would go on writing."""
        if not self._open:
            return
        message = f"job {self.name!r} was stopped: {fact.words}; {fact.advice}, before it is retried"
        failure = Failure(cause=Cause.CANCELLED, message=message, setting=fact.setting)
        self._halt(failure, self._halt_of_all(failure), fact.at)
        for task_id in list(self.live):
            self._replace(lifecycle.stop(self.tasks[task_id], Cause.CANCELLED, fact.setting), fact.at)
            self.overdue.add(self.attempt_key(self.tasks[task_id]))

    # --- Requests for further tasks ----------------------------------------------------------------------

    def _request(self, fact: TaskRequested) -> None:
        if fact.request in self.requests:
            return
        known = self.tasks.get(fact.spec.id)
        if known is not None:
            reason = None if fact.spec.is_asked_by(known) else "another task with this id exists"
            self._note(fact.request, fact.spec.id, reason, fact.at)
            return
        try:
            self._admit(fact.spec)
        except BadInput as error:
            self._note(fact.request, fact.spec.id, str(error), fact.at)
            return
        self._queued_bytes += fact.spec.size
        origin = {"request": fact.request, "parent": fact.parent and fact.parent.task}
        task = Task.of(fact.spec, self.name, fact.at).model_copy(update=origin)
        self.tasks[task.id] = task
        self.users.add(task.user)
        self._changed_tasks[task.id] = None
        self._index(task, fact.at)
        self._decide(fact.request, task.id, None, fact.at)
        if not self._may_begin(task) and (not_run := self._not_run(task)) is not None:
            self._replace(lifecycle.skip(task, not_run, fact.at), fact.at)
        self._resolve(task.id, fact.at)

    def _admit(self, spec: TaskSpec) -> None:
        if len(self.tasks) >= self.max_tasks:
            raise BadInput(f"the job has {len(self.tasks)} tasks, the limit is max_tasks = {self.max_tasks}")
        if self._queued_bytes + spec.size > MAX_QUEUED_BYTES:
            raise BadInput(f"the job's queued tasks are larger than {MAX_QUEUED_BYTES} bytes together")
        check_dependencies(spec, self.tasks)
        check_condition(spec)

    def _note(self, request: str, task: str | None, reason: str | None, at: datetime) -> None:
        """Decide on a request that brings no task: only so many are kept."""
        if self._refusals < MAX_REFUSALS:
            self._refusals += 1
            self._decide(request, task, reason and reason[:MAX_REASON], at)

    def _decide(self, request: str, task: str | None, reason: str | None, at: datetime) -> None:
        decision = Decision(request=request, task=task, accepted=reason is None, reason=reason, at=at)
        self.requests[request] = decision
        self._decided.append(decision)
        self._update_job(at)

    # --- The job's own record ----------------------------------------------------------------------------

    def _end(self, fact: JobEnded) -> None:
        if self.settled:
            state = JobState.FAILED if self.failure else JobState.COMPLETED
            outcome = self._outcome()
            self._update_job(fact.at, state=state, **({} if outcome is None else {"outcome": outcome}))

    def _outcome(self) -> JobOutcome | None:
        halt = self.job.halt
        if halt is not None and halt.failure.cause is Cause.TIMEOUT:
            return JobOutcome.TIMED_OUT
        if halt is not None and halt.marker and self.failure and self.failure.cause is not Cause.CANCELLED:
            return JobOutcome.CANCELLED
        allowed = self.failure is None and any(
            task.outcome is Outcome.ALLOWED_FAILURE for task in self.tasks.values()
        )
        return JobOutcome.COMPLETED_WITH_FAILURES if allowed else None

    def _update_job(self, at: datetime, **update: object) -> None:
        at = max(at, self.job.updated_at)
        self.job = self.job.model_copy(update={"updated_at": at, **update})
        self._changed = True
