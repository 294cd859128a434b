"""PURE. One job that has not ended: its tasks, and what follows from each fact for all of them together.

No files, no clock, no engine. Every fact costs time in proportion to the tasks that it touches, so a job
of 10,000 tasks is no problem.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice

from air_executor.errors import BadInput
from air_executor.format.attempts import Attempt, Cause, Failure, Phase
from air_executor.format.graph import check_dependencies
from air_executor.format.models import Decision, Job, JobState, JobView, Task, TaskSpec, TaskStatus
from manager.core import lifecycle, retries
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
        for task in self.tasks.values():
            self._index(task, since or job.created_at)

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
            case CancelRequested() | JobVanished():
                self._cancel(fact)
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

    def recall(self) -> None:
        """The job comes from a journal: what it tells of attempts may be old news."""
        for task_id in self.live:
            if self._undecided(task_id):
                self.unsure.add(self.attempt_key(self.tasks[task_id]))

    def take(self, at: datetime) -> None:
        """The manager takes the job: it is working from now on."""
        self._update_job(at, state=JobState.WORKING)
        self._changed_tasks.update(dict.fromkeys(self.tasks))

    def fail(self, failure: Failure, at: datetime) -> None:
        """The job can't succeed any more: what has not begun is skipped. The first failure stays."""
        if self.failure is not None:
            return
        self.failure = failure
        self._update_job(at, failure=failure)
        not_run = _skipped_for(failure)
        for task in [task for task in self.tasks.values() if self._untouched(task)]:
            self._replace(lifecycle.give_up(task, not_run, at), at)
        for task_id in [task_id for task_id in self.live if self._early(task_id)]:
            self._stop(task_id, failure.cause, not_run, at)

    def _stop(self, task_id: str, cause: Cause, not_run: Failure, at: datetime) -> None:
        """Nothing is waited for where the command can't have begun: what is being made for it, is removed."""
        self._replace(lifecycle.drop(lifecycle.stop(self.tasks[task_id], cause), not_run, at), at)

    def _untouched(self, task: Task) -> bool:
        return task.status is TaskStatus.PENDING and not self._undecided(task.id)

    def _startable(self, task: Task) -> bool:
        """Whether it waits for a runner only. The container of an attempt before must be gone first."""
        attempt = task.attempt
        free = attempt is None or not attempt.live or (self._early(task.id) and attempt.stopping is None)
        return task.status is TaskStatus.PENDING and free and not self._queue.missing(task.id)

    def _undecided(self, task_id: str) -> bool:
        attempt = self.tasks[task_id].attempt
        return attempt is not None and attempt.undecided

    def _early(self, task_id: str) -> bool:
        """Whether its attempt was claimed ahead of time, and its turn has not come."""
        attempt = self.tasks[task_id].attempt
        return attempt is not None and attempt.undecided and not attempt.needed

    def _is_prospect(self, task: Task) -> bool:
        if self.failure is not None:
            return False
        untried = self._untouched(task) and (task.attempt is None or not task.attempt.live)
        few = 0 < self._queue.missing(task.id) <= len(self.live)  # else some have not begun: no need to look
        return untried and few and all(map(self._under_way, task.dependencies))

    def _under_way(self, task_id: str) -> bool:
        """Whether it is done, runs, or has a container made ahead: what has not begun yet, goes first."""
        task = self.tasks[task_id]
        if task.status in (TaskStatus.COMPLETED, TaskStatus.RUNNING):
            return True
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
        not_run = None if self.failure is None else _skipped_for(self.failure)
        after = lifecycle.step(before, fact, self.ready.get(before.id), not_run)
        if after is before:
            return
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
            if self.failure is None and retries.may_retry(after):
                after = lifecycle.again(after)
        self._replace(after, fact.at)
        if after.status is TaskStatus.FAILED and after.failure is not None:
            self.fail(after.failure, fact.at)

    def _replace(self, after: Task, at: datetime) -> None:
        before = self.tasks[after.id]
        if after is before:
            return
        self.tasks[after.id] = after
        self._changed_tasks[after.id] = None
        attempt = after.attempt
        if attempt is not None and attempt.live:
            self.live[after.id] = None
        else:
            self.live.pop(after.id, None)
        if attempt is not None and not attempt.undecided:
            self.unsure.discard(self.attempt_key(after))
        if before.attempt is not None and after.id not in self.live:
            self.overdue.discard(self.attempt_key(before))
        if after.done and not before.done:
            self._release(after.id, at)
        if after.status.ended and not before.status.ended:
            self._open -= 1
        if self._startable(after):
            self._queue.offer(after, at)
        else:
            self._queue.withdraw(after.id)
        self._update_job(at)

    def _release(self, completed: str, at: datetime) -> None:
        for dependant in self._queue.release(completed):
            if self._startable(self.tasks[dependant]):
                self._queue.offer(self.tasks[dependant], at)

    def _index(self, task: Task, at: datetime) -> None:
        """Enter a task into the graph; those it depends on need not be entered yet."""
        self._queue.enter(task, lambda dependency: self.tasks[dependency].done)
        if not task.status.ended:
            self._open += 1
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

    def _cancel(self, fact: CancelRequested | JobVanished) -> None:
        self.vanished = self.vanished or isinstance(fact, JobVanished)
        if not self._open:
            return
        why = "its folder was deleted" if isinstance(fact, JobVanished) else "somebody asked for it"
        failure = Failure(cause=Cause.CANCELLED, message=f"job {self.name!r} was cancelled: {why}")
        self._call_off(failure, fact.at)

    def _give_up(self, fact: JobBroken) -> None:
        message = f"job {self.name!r} was stopped: {fact.message}"
        self._call_off(Failure(cause=Cause.ENGINE, message=message), fact.at)

    def _call_off(self, failure: Failure, at: datetime) -> None:
        """The job has failed, and what runs is stopped."""
        self.fail(failure, at)
        for task_id in list(self.live):
            self._stop(task_id, Cause.CANCELLED, _skipped_for(self.failure or failure), at)

    def _exceed(self, fact: DiskExceeded) -> None:
        """Nothing of it gets a grace, in which it would go on writing."""
        if not self._open:
            return
        message = (
            f"job {self.name!r} was stopped: {fact.words}; delete some of its files, or raise the setting, "
            "before it is retried"
        )
        self.fail(Failure(cause=Cause.CANCELLED, message=message, setting=fact.setting), fact.at)
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
        if self.failure is not None:
            self._replace(lifecycle.skip(task, _skipped_for(self.failure), fact.at), fact.at)

    def _admit(self, spec: TaskSpec) -> None:
        if len(self.tasks) >= self.max_tasks:
            raise BadInput(f"the job has {len(self.tasks)} tasks, the limit is max_tasks = {self.max_tasks}")
        if self._queued_bytes + spec.size > MAX_QUEUED_BYTES:
            raise BadInput(f"the job's queued tasks are larger than {MAX_QUEUED_BYTES} bytes together")
        check_dependencies(spec, self.tasks)

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
            self._update_job(fact.at, state=state)

    def _update_job(self, at: datetime, **update: object) -> None:
        at = max(at, self.job.updated_at)
        self.job = self.job.model_copy(update={"updated_at": at, **update})
        self._changed = True


def _skipped_for(failure: Failure) -> Failure:
    return Failure(cause=failure.cause, message=f"never ran: {failure.message}")
