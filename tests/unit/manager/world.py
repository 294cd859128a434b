"""A world without files, clocks or engine, in which the pure core is let loose.

It does what the supervisor, the workers and an engine do, one small step at a time, and lets the caller
choose which step comes next: so facts come in any order that can happen, and in some that can hardly happen:
twice, late, out of order, and after the manager was killed and started again. Every rule that must hold is
checked at every step.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from air_executor.format.attempts import Cause, Failure
from air_executor.format.models import Decision, Job, JobState, Task, TaskSpec, TaskStatus
from manager.core import planner, recovery
from manager.core.live_job import LiveJob
from manager.core.scheduler import Scheduler
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
from manager.model.facts import (
    AttemptNeeded,
    CancelRequested,
    ContainerCreated,
    ContainerDropped,
    ContainerExited,
    ContainerLost,
    ContainerRemoved,
    ContainerStarted,
    ContainerVoided,
    ContainerWaiting,
    DeadlinePassed,
    GracePassed,
    ImageFetched,
    ImageLacking,
    Inspected,
    JobEnded,
    JobFact,
    LaunchFailed,
    NetworkLost,
    OfAttempt,
    RestPassed,
    TaskClaimed,
    TaskRequested,
)
from manager.model.values import AttemptKey, ExitResult, Found, ImageOrder
from tests.unit.manager.builders import ABLE, OWNER, T0, no_pool, settings

GONE = "gone"
"""An image that no registry gives."""


@dataclass
class Box:
    """A container of the world."""

    state: str = "created"  # created, waiting (at its gate), running, exited
    code: int = 0
    began: datetime = T0
    ended: datetime = T0


@dataclass
class Fate:
    """What becomes of an attempt, decided beforehand."""

    code: int = 0
    launch: str = "ok"  # or what fails: "create", "start", "network" (at the first incarnation only), "gate"
    vanishes: bool = False
    obeys: bool = True


@dataclass
class World:
    jobs: list[LiveJob]
    max_runners: int
    fate: Callable[[AttemptKey], Fate]
    choose: Callable[[int], int]
    """Which of so many things happens next."""

    boxes: dict[AttemptKey, Box] = field(default_factory=dict)
    runs: dict[AttemptKey, int] = field(default_factory=dict)
    look_ahead: int = 0
    claims: list[AttemptKey] = field(default_factory=list)
    needed: set[AttemptKey] = field(default_factory=set)
    mail: list[JobFact] = field(default_factory=list)
    """Facts that are under way."""
    old_mail: list[JobFact] = field(default_factory=list)
    """Facts that were delivered and counted, and may come again."""
    acts: list[TaskAction] = field(default_factory=list)
    issued: set[TaskAction] = field(default_factory=set)
    busy: set[AttemptKey] = field(default_factory=set)
    signals: dict[AttemptKey, list[str]] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    requests: list[tuple[str, TaskSpec]] = field(default_factory=list)
    fetches: list[ImageOrder] = field(default_factory=list)
    """Images that are under way."""
    seconds: int = 0

    def __post_init__(self) -> None:
        self._new_scheduler()

    def _new_scheduler(self) -> None:
        rules = settings(max_runners=self.max_runners, look_ahead=self.look_ahead)
        self.scheduler = Scheduler("home", rules, no_pool(), capabilities=ABLE)

    # --- What can happen ---------------------------------------------------------------------------------

    def step(self, disturb: bool = True) -> bool:
        """Let one thing happen; False when nothing can."""
        ways: list[Callable[[], None]] = []
        if self.mail:
            ways.append(self._deliver)
        if self._feasible():
            ways.append(self._perform)
        if any(box.state == "running" for box in self.boxes.values()):
            ways.append(self._exit)
        if self.fetches:
            ways.append(self._fetch)
        ways.append(self.decide)
        if disturb:
            ways += [self._repeat, self._interfere, self._queue, self.restart]
        ways[self.choose(len(ways))]()
        self.check()
        return True

    def settle(self, limit: int = 3_000) -> None:
        """Let everything take its course, undisturbed, until nothing happens any more."""
        for _ in range(limit):
            self.decide()
            if self.mail:
                self._deliver()
            elif self._feasible():
                self._perform()
            elif any(box.state == "running" for box in self.boxes.values()):
                self._exit()
            elif self.fetches:
                self._fetch()
            else:
                return
            self.check()
        raise AssertionError(f"no end after {limit} steps: {self.mail[:3]} {self.acts[:3]}")

    def now(self) -> datetime:
        self.seconds += 1
        return T0 + timedelta(seconds=self.seconds)

    def _deliver(self) -> None:
        fact = self.mail.pop(self.choose(len(self.mail)))
        before = self._snapshot()
        self._apply(fact)
        if self._snapshot() != before:
            self.old_mail.append(fact)

    def _apply(self, fact: JobFact) -> None:
        uid = fact.uid
        if isinstance(fact, OfAttempt):
            self.busy.discard(fact.key)
        for job in self.jobs:
            if job.uid == uid:
                self._fold(job, fact)

    def _fold(self, job: LiveJob, fact: JobFact) -> None:
        if isinstance(fact, Inspected) and fact.key in job.unsure:
            for conclusion in recovery.conclusions(job.tasks[fact.key.task].attempts[-1], fact):
                job.apply(conclusion)
        job.apply(fact)

    def _repeat(self) -> None:
        if self.old_mail:
            before = self._snapshot()
            fact = self.old_mail[self.choose(len(self.old_mail))]
            for job in self.jobs:
                if job.uid == fact.uid:
                    self._fold(job, fact)
            assert self._snapshot() == before, f"{fact} came twice and changed something"

    def _snapshot(self) -> list[object]:
        return [
            (
                job.job,
                dict(job.tasks),
                dict(job.requests),
                list(job.ready),
                dict(job.resting),
                set(job.unsure),
            )
            for job in self.jobs
        ]

    def decide(self) -> None:
        """What the supervisor does after each batch of facts."""
        for claim in self.scheduler.claims(self.jobs, self.now()):
            if not isinstance(claim, ImageLacking):
                self._check_claim(claim)
            self._apply(claim)
        for ahead in self.scheduler.claims_ahead(self.jobs, self.now()):
            self._check_ahead(ahead)
            self._apply(ahead)
        for job in self.jobs:
            if job.settled and not job.job.state.ended:
                job.apply(JobEnded(uid=job.uid, at=self.now()))
        live = {job.uid: job for job in self.jobs if not job.job.state.ended}
        for order in self.scheduler.shelf.given_up(live):
            if self.choose(2):  # or its answer comes nevertheless
                self.fetches.remove(order)
        self.fetches += self.scheduler.shelf.orders()
        for action in planner.actions([job for job in self.jobs if not job.job.state.ended]):
            if action in self.issued or (action.key in self.busy and isinstance(action, EXCLUSIVE)):
                continue
            self.issued.add(action)
            if isinstance(action, EXCLUSIVE):
                self.busy.add(action.key)
            self.acts.append(action)

    def _fetch(self) -> None:
        """An image has come, or can't be had."""
        order = self.fetches.pop(self.choose(len(self.fetches)))
        problem = Failure(cause=Cause.IMAGE, message="no") if order.image == GONE else None
        fetched = ImageFetched(image=order.image, order=order, problem=problem, at=self.now())
        if not self.scheduler.shelf.take_in(fetched):
            return
        for job in self.jobs:
            for fact in self.scheduler.supply(job, fetched):
                if isinstance(fact, TaskClaimed):
                    self._check_claim(fact)
                self._apply(fact)

    def _feasible(self) -> list[TaskAction]:
        """Acts that can be done now; to watch takes until the container has ended."""
        return [act for act in self.acts if not (isinstance(act, Watch) and self._runs(act.key))]

    def _runs(self, key: AttemptKey) -> bool:
        return key in self.boxes and self.boxes[key].state == "running"

    def _perform(self) -> None:
        feasible = self._feasible()
        action = feasible[self.choose(len(feasible))]
        self.acts.remove(action)
        key, box = action.key, self.boxes.get(action.key)
        fate = self.fate(key)
        match action:
            case Inspect():
                began = box.began if box is not None else None
                found = Found.MISSING if box is None else Found(box.state.replace("waiting", "running"))
                self._tell(
                    Inspected(
                        key=key,
                        found=found,
                        at=self.now(),
                        container_id=f"id-{key.task}",
                        image_id="x",
                        created_at=self.now(),
                        started_at=began,
                    )
                )
            case Rest():
                self._tell(RestPassed(key=key, at=self.now()))
            case Create():
                if fate.launch == "create" and box is None:
                    self._tell(
                        LaunchFailed(
                            key=key, failure=Failure(cause=Cause.ENGINE, message="no"), at=self.now()
                        )
                    )
                    return
                made = self.boxes.setdefault(key, Box())
                if self._gated(key):
                    self._start_gated(key, made, fate)
                else:
                    self._tell(
                        ContainerCreated(
                            key=key,
                            container_id=f"id-{key.task}",
                            image_id="sha256:x",
                            created_at=self.now(),
                            at=self.now(),
                        )
                    )
            case Start():
                if self._gated(key):
                    self._start_gated(key, box, fate)
                elif box is None:
                    self._tell(ContainerLost(key=key, message="gone", at=self.now()))
                elif fate.launch == "start" and box.state == "created":
                    self._tell(
                        LaunchFailed(
                            key=key, failure=Failure(cause=Cause.COMMAND, message="no"), at=self.now()
                        )
                    )
                elif fate.launch == "network" and box.state == "created" and key.incarnation == 1:
                    self._void(key)
                else:
                    self._begin(key, box)
                    self._tell(ContainerStarted(key=key, started_at=box.began, at=self.now()))
            case Open():
                self._open(key, box, fate)
            case Replace():
                self._throw_away(key, ContainerVoided(key=key, at=self.now()))
            case Drop() if self._gated(key):
                self._throw_away(key, ContainerDropped(key=key, at=self.now()))
            case Drop():
                if box is None or box.state == "created":
                    self._tell(ContainerDropped(key=key, at=self.now()))
                else:
                    self._tell(ContainerStarted(key=key, started_at=box.began, at=self.now()))
            case Watch():
                if box is None:
                    self._tell(ContainerLost(key=key, message="gone", at=self.now()))
                else:
                    self._tell_exit(key, box)
            case Signal():
                self._signal(key, box, action.signal, fate)
            case Remove():
                job = next(job for job in self.jobs if job.uid == key.uid)
                assert job.tasks[key.task].attempts[key.number - 1].phase in ("recorded", "removed")
                assert box is None or box.state != "running", f"{key} is removed while it runs"
                self.boxes.pop(key, None)
                self._tell(ContainerRemoved(key=key, at=self.now()))

    def _gated(self, key: AttemptKey) -> bool:
        job = next(job for job in self.jobs if job.uid == key.uid)
        return job.tasks[key.task].attempts[key.number - 1].gated

    def _start_gated(self, key: AttemptKey, box: Box | None, fate: Fate) -> None:
        if box is None or box.state == "exited" or fate.launch in ("start", "network"):
            self._void(key)
        else:
            box.state = "waiting"
            now = self.now()
            self._tell(
                ContainerWaiting(
                    key=key,
                    container_id=f"id-{key.task}",
                    image_id="sha256:x",
                    created_at=now,
                    container_started_at=now,
                    at=now,
                )
            )

    def _open(self, key: AttemptKey, box: Box | None, fate: Fate) -> None:
        job = next(job for job in self.jobs if job.uid == key.uid)
        assert job.tasks[key.task].attempts[-1].needed, f"{key} is opened before its turn"
        if key in self.runs:  # its receipt says so
            self._tell(ContainerStarted(key=key, started_at=box.began if box else self.now(), at=self.now()))
        elif box is None or box.state == "exited" or fate.launch == "gate":
            self._void(key)
        else:
            self._begin(key, box)
            self._tell(ContainerStarted(key=key, started_at=box.began, at=self.now()))

    def _void(self, key: AttemptKey) -> None:
        assert key not in self.runs, f"{key} is voided, and has run"
        self.boxes.pop(key, None)
        self._tell(ContainerVoided(key=key, at=self.now()))

    def _throw_away(self, key: AttemptKey, gone: JobFact) -> None:
        if key in self.runs:
            box = self.boxes.get(key)
            self._tell(ContainerStarted(key=key, started_at=box.began if box else self.now(), at=self.now()))
        else:
            self.boxes.pop(key, None)
            self._tell(gone)

    def _begin(self, key: AttemptKey, box: Box) -> None:
        if box.state not in ("created", "waiting"):
            return  # a container begins once, whatever it is asked
        self._check_start(key)
        box.state, box.began = "running", self.now()
        self.runs[key] = self.runs.get(key, 0) + 1

    def _exit(self) -> None:
        running = [key for key, box in self.boxes.items() if box.state == "running"]
        key = running[self.choose(len(running))]
        fate = self.fate(key)
        if fate.vanishes:
            del self.boxes[key]
        else:
            self._end(key, fate.code)

    def _end(self, key: AttemptKey, code: int) -> None:
        box = self.boxes[key]
        box.state, box.code, box.ended = "exited", code, self.now()
        if self.choose(2):  # an event stream may tell of it before anybody waits for it
            self._tell_exit(key, box)

    def _tell_exit(self, key: AttemptKey, box: Box) -> None:
        self._tell(
            ContainerExited(key=key, result=ExitResult(box.code, False, box.began, box.ended), at=self.now())
        )

    def _signal(self, key: AttemptKey, box: Box | None, name: str, fate: Fate) -> None:
        self.signals.setdefault(key, []).append(name)
        if box is not None and box.state == "running" and (fate.obeys or name == "SIGKILL"):
            self._end(key, 137 if name == "SIGKILL" else 143)
        elif name == "SIGTERM":
            self._tell(GracePassed(key=key, at=self.now()))

    def _tell(self, fact: JobFact) -> None:
        self.mail.append(fact)

    def _interfere(self) -> None:
        """A cancel, or a deadline that passes."""
        job = self.jobs[self.choose(len(self.jobs))]
        running = [key for key, box in self.boxes.items() if box.state == "running"]
        waiting = [key for key, box in self.boxes.items() if box.state == "waiting"]
        if waiting and self.choose(5) == 4:  # somebody removes it
            del self.boxes[waiting[self.choose(len(waiting))]]
        elif waiting and self.choose(5) == 4:
            self._apply(NetworkLost(uid=job.uid, at=self.now()))
        elif running and self.choose(3):
            self._tell(DeadlinePassed(key=running[self.choose(len(running))], at=self.now()))
        elif self.choose(4) == 3:
            if not all(task.status.ended for task in job.tasks.values()):  # what is recorded wins
                self.cancelled.add(job.uid)
            marker = f"{self.choose(2)}"  # a second one also stops cleanup
            self._apply(CancelRequested(uid=job.uid, marker=marker, at=self.now()))

    def _queue(self) -> None:
        """A running task of a job asks for another one."""
        running = [key for key, box in self.boxes.items() if box.state == "running"]
        if not running or len(self.requests) >= 4:
            return
        key = running[self.choose(len(running))]
        job = next(job for job in self.jobs if job.uid == key.uid)
        known = list(job.tasks)
        after = (known[self.choose(len(known))],) if self.choose(2) else ()
        run_if = ("success", "always", "failure")[self.choose(3)] if after else "success"
        asked = {"id": f"q{self.choose(3)}", "command": "true", "dependencies": after, "run_if": run_if}
        spec = TaskSpec.model_validate(asked)
        request = f"r{len(self.requests)}"
        self.requests.append((key.uid, spec))
        # The inbox is read before the end of the container is told: so the request is applied at once.
        self._apply(TaskRequested(uid=key.uid, request=request, spec=spec, at=self.now()))
        decision = job.requests.get(request)
        assert decision is not None or job.job.state.ended
        if decision is not None and decision.accepted:
            assert spec.id in job.tasks

    def restart(self) -> None:
        """The manager is killed, and the next one knows what the journal says: facts under way are lost."""
        if self.choose(3):
            return
        again = []
        for job in self.jobs:
            copy = replayed(job)
            copy.recall()
            _check_same(job, copy)
            again.append(copy)
        self.jobs[:] = again
        self.acts, self.mail, self.issued, self.busy, self.fetches = [], [], set(), set(), []
        self.old_mail = [fact for fact in self.old_mail if not isinstance(fact, Inspected | RestPassed)]
        self._new_scheduler()

    # --- What must be true -------------------------------------------------------------------------------

    def _check_claim(self, claim: TaskClaimed | AttemptNeeded) -> None:
        job = next(job for job in self.jobs if job.uid == claim.key.uid)
        task = job.tasks[claim.key.task]
        assert _may_begin(job, task), f"{claim.key} is claimed in a job that has failed"
        assert _is_called_for(job, task), f"{claim.key} before {', '.join(task.dependencies)}"
        if isinstance(claim, TaskClaimed):
            self._check_new(job, claim)
        else:
            assert claim.key not in self.needed, f"the turn of {claim.key} comes twice"
            self.needed.add(claim.key)

    def _check_ahead(self, claim: TaskClaimed) -> None:
        job = next(job for job in self.jobs if job.uid == claim.key.uid)
        task = job.tasks[claim.key.task]
        assert _may_begin(job, task), f"{claim.key} is claimed in a job that has failed"
        assert sum(job.ahead for job in self.jobs) < self.look_ahead
        self._check_new(job, claim)

    def _check_new(self, job: LiveJob, claim: TaskClaimed) -> None:
        task = job.tasks[claim.key.task]
        assert claim.key not in self.claims, f"{claim.key} is claimed twice"
        assert task.attempt is None or task.attempt.phase == "removed", "two attempts of one task at a time"
        assert claim.key.number == len(task.attempts) + 1 <= task.policy.max + 1, (
            "more attempts than retries allow"
        )
        self.claims.append(claim.key)

    def _check_start(self, key: AttemptKey) -> None:
        others = [other for other in self.boxes if other[:2] == key[:2] and other != key]
        assert not others, f"{key} starts beside {others}"
        assert not [other for other in self.runs if other[:3] == key[:3]], f"{key} runs twice"
        job = next(job for job in self.jobs if job.uid == key.uid)
        assert _is_called_for(job, job.tasks[key.task])

    def check(self) -> None:
        assert sum(job.busy for job in self.jobs) <= self.max_runners
        assert sum(box.state == "running" for box in self.boxes.values()) <= self.max_runners
        for job in self.jobs:
            limit = job.job.max_parallel
            assert limit is None or job.busy <= limit
            running = sum(box.state == "running" for key, box in self.boxes.items() if key.uid == job.uid)
            assert limit is None or running <= limit
            if job.job.state.ended:
                assert all(task.status.ended for task in job.tasks.values())
                assert not any(key.uid == job.uid for key in self.boxes), (
                    "containers are left of an ended job"
                )

    def check_end(self) -> None:
        """After `settle`: every job has ended, and as it must."""
        assert not self.boxes
        assert all(count == 1 for count in self.runs.values())
        for job in self.jobs:
            assert job.job.state.ended, (
                f"{job.uid} never ends: {[(t.id, t.status) for t in job.tasks.values()]}"
            )
            for task in job.tasks.values():
                self._check_task(job, task)
            well = all(_is_no_failure(task) for task in job.tasks.values())
            assert (job.job.state is JobState.COMPLETED) == (job.failure is None)
            assert well or job.failure is not None
            assert not well or job.failure is None or job.uid in self.cancelled
            if job.uid in self.cancelled:
                assert job.job.state is JobState.FAILED
            accepted = [spec.id for uid, spec in self.requests if uid == job.uid and spec.id in job.tasks]
            if job.job.state is JobState.COMPLETED:
                assert all(_is_no_failure(job.tasks[task_id]) for task_id in accepted)

    def _check_task(self, job: LiveJob, task: Task) -> None:
        assert task.status.ended
        assert len(task.attempts) <= task.policy.max + 1
        assert [attempt.number for attempt in task.attempts] == list(range(1, len(task.attempts) + 1))
        for attempt in task.attempts:
            assert attempt.phase == "removed"
            times = attempt.timings
            order = [times.container_started_at, times.started_at, times.finished_at, times.recorded_at]
            known = [moment for moment in order if moment is not None]
            assert known == sorted(known), f"{task.id}: a negative duration"
        if task.status is TaskStatus.COMPLETED:
            assert task.attempts[-1].exit_code == 0
        elif task.status is TaskStatus.FAILED:
            assert task.failure is not None and task.failure.message
        elif task.outcome is None:
            assert task.failure is not None
            assert job.failure is not None
        else:
            assert task.outcome != "not_called_for" or not task.attempts or task.attempts[-1].failure


def _may_begin(job: LiveJob, task: Task) -> bool:
    """Whether what became of the job lets the task begin."""
    cleanup = task.run_if != "success" and task.dependencies != ()
    halt = job.job.halt
    if halt is not None:
        return halt.of == "work" and cleanup and task.parent is None
    return job.failure is None or cleanup or job.job.on_failure == "continue"


def _is_called_for(job: LiveJob, task: Task) -> bool:
    """Whether all that it depends on is over, and has become what it runs after."""
    before = [job.tasks[dependency] for dependency in task.dependencies]
    if not all(each.status.ended for each in before):
        return False
    match task.run_if:
        case "always":
            return True
        case "failure":
            return not all(map(_is_no_failure, before))
        case _:
            return all(map(_goes_on, before))


def _is_no_failure(task: Task) -> bool:
    if task.status is TaskStatus.FAILED:
        return task.allow_failure
    return task.status is TaskStatus.COMPLETED or task.outcome is not None


def _goes_on(task: Task) -> bool:
    skipped = task.outcome == "skipped_by_exit_code"
    return (
        task.on_skip == "continue" if skipped else _is_no_failure(task) and task.outcome != "not_called_for"
    )


def replayed(job: LiveJob) -> LiveJob:
    """The job as a manager would have it that was started just now: by way of the journal's JSON."""
    record = Job.model_validate(json.loads(job.job.model_dump_json(by_alias=True, exclude_none=True)))
    tasks = [
        Task.model_validate(json.loads(task.model_dump_json(exclude_none=True, exclude_defaults=True)))
        for task in job.tasks.values()
    ]
    decisions = tuple(
        Decision.model_validate(json.loads(decision.model_dump_json(exclude_none=True)))
        for decision in job.requests.values()
    )
    record = record.model_copy(update={"requests": decisions})
    return LiveJob(record, tasks, OWNER, max_tasks=job.max_tasks)


def _check_same(job: LiveJob, copy: LiveJob) -> None:
    assert copy.tasks == job.tasks
    assert copy.requests == job.requests
    assert copy.failure == job.failure
    assert copy.job.state == job.job.state
    assert set(copy.live) == set(job.live)
    lacking = {task_id for waiting in job.lacking.values() for task_id in waiting}
    assert {*copy.ready, *copy.resting} == {*job.ready, *job.resting, *lacking}
    assert copy.settled == job.settled
    assert copy.busy == job.busy
    assert copy.ahead == job.ahead
