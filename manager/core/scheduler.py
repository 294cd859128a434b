"""PURE. Which task gets a runner, or a container ahead of its turn, and with what it is claimed."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

from air_executor.clock import Instant
from air_executor.format.attempts import Attempt, Cause, Failure, Phase
from air_executor.format.images import is_same
from air_executor.format.models import Task
from manager.core import policy
from manager.core.gpu_rack import Allotment, GpuRack
from manager.core.image_shelf import ImageShelf
from manager.core.live_job import LiveJob
from manager.core.warm_pool import WarmPool
from manager.model import containers
from manager.model.facts import (
    AttemptNeeded,
    GpusLacking,
    GpusSupplied,
    ImageFetched,
    ImageLacking,
    ImageSupplied,
    JobFact,
    LaunchFailed,
    TaskClaimed,
)
from manager.model.values import NOT_TRIED, Capabilities, WarmContainer
from manager.settings import Settings

HASTE = timedelta(seconds=0.1)
"""Within which a gate opens, as a rule."""
LONGEST_YIELD = timedelta(seconds=5)
"""For which warm containers are not tended while gates open, or containers are made that tasks wait for."""


class Unclaimable(Exception):
    """Nothing can be claimed in the job `uid`, for a reason that nobody foresaw: its cause."""

    def __init__(self, uid: str) -> None:
        super().__init__(uid)
        self.uid = uid


@dataclass
class Scheduler:
    """Shares the runners out among jobs; remembers only whose turn it was."""

    home_id: str
    settings: Settings
    pool: WarmPool
    capabilities: Capabilities = NOT_TRIED
    """What can be done with the engine on this host."""
    shelf: ImageShelf = field(default_factory=ImageShelf)
    rack: GpuRack = field(init=False)
    users: policy.JobUsers = field(init=False)
    """Which job has a user of its own."""
    _supplied: dict[tuple[str, str], str] = field(default_factory=dict)
    """Tasks, by job and id, that have waited for their image, which is here: until their next claim, however
    long others hold the runners. Where it was removed since, the first container tells (`doubt`)."""
    _tended_at: datetime | None = None
    """When warm containers were last tended."""
    _turn: int = 0
    _served: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.users = policy.JobUsers(self.settings.job_uids)
        self.rack = GpuRack(self.settings.gpus)

    def take_up(self, job: LiveJob) -> None:
        """The job was live before: it keeps what it was given."""
        begun = job.job.network is not None or bool(job.live)
        if begun or job.job.runs_as is not None:
            self.users.take_up(job.uid, None if job.job.runs_as is None else job.runs_for)

    def adapt_to(self, able: Capabilities) -> None:
        """What can be done here is known now."""
        self.capabilities = self.pool.capabilities = able

    def go_by(self, settings: Settings) -> None:
        """What follows from the engine's host is known now."""
        self.settings = self.pool.settings = settings

    def claims(
        self, jobs: Sequence[LiveJob], at: datetime, instant: Instant | None = None
    ) -> Iterator[JobFact]:
        """The tasks that get a runner now, and those that wait for their images, or for GPUs.

        Each is to be applied before the next is asked for.

        Those with the highest priority come before all others. Among equals, who has waited for GPUs and can
        have them comes first; then a job that has no runner at all, whoever has waited longest for one; what
        is left goes to the oldest job. So the oldest of them is done first, and none of them starves. Raises
        Unclaimable.
        """
        free = self.settings.max_runners - sum(job.busy for job in jobs)
        while free > 0:
            allotment = self.rack.next(jobs, self._may_run, self._rank)
            job = min(filter(self._may_go_on, jobs), key=self._priority, default=None)
            if allotment is not None and (job is None or self._rank(allotment.job) >= self._rank(job)):
                yield from self._hand_over(allotment, at, instant)
                free -= 1
                continue
            if job is None:
                return
            yield from self._put_off(job, at)
            if not self._may_go_on(job):  # the one that is the first now, or none
                continue
            self._serve(job)
            with _blaming(job):
                claim = self._next(job, at, instant)
            yield claim
            free -= 1

    def _serve(self, job: LiveJob) -> None:
        self._turn += 1
        self._served[job.uid] = self._turn

    def _hand_over(self, allotment: Allotment, at: datetime, instant: Instant | None) -> Iterator[JobFact]:
        """The claim of a task that has waited for these GPUs."""
        job, task_id, gpus = allotment
        self._serve(job)
        self.rack.take(job.uid, gpus)
        yield GpusSupplied(uid=job.uid, task=task_id, at=at)
        with _blaming(job):
            claim = self._claim(job, task_id, at, instant, "cold", gpus=gpus)
        yield claim

    def _put_off(self, job: LiveJob, at: datetime) -> Iterator[JobFact]:
        """Those that come before the first which can be claimed as it is."""
        while job.ready:
            task_id = next(iter(job.ready))
            task = job.tasks[task_id]
            if task.attempt is not None and task.attempt.undecided:
                return
            lack = policy.lack(task, self.settings) or self._lack_of_secrets(task)
            image = self._lacks(job, task, at)
            if lack is not None:
                yield from self._refuse(job, task_id, Failure(cause=Cause.BAD_INPUT, message=lack), at)
            elif image is not None:
                self._want(job, task, image)
                yield ImageLacking(uid=job.uid, task=task_id, image=image, at=at)
            elif task.resources.gpus is not None:
                yield GpusLacking(uid=job.uid, task=task_id, at=at)
            else:
                return
            if task_id in job.ready:  # or it would be put off for ever
                raise Unclaimable(job.uid)

    def _lacks(self, job: LiveJob, task: Task, at: datetime) -> str | None:
        """The task's image, where it is to be fetched first. The usual one was tried with the engine."""
        image = task.image or self.settings.runner_image
        if (job.uid, task.id) in self._supplied:
            return None
        if policy.must_ask(task):
            return image
        here = is_same(image, self.settings.runner_image) or self.shelf.has(image, at)
        return None if here or not policy.may_pull(task) else image

    def _lack_of_secrets(self, task: Task) -> str | None:
        """Why the secrets can't be handed over that the task asks for: it does not begin without."""
        if self.capabilities.secrets is None or not (task.secrets or task.secret_env):
            return None
        return (
            "it asks for secrets, which tasks get from their gates, and here none hands them over: "
            f"{self.capabilities.secrets}"
        )

    def _want(self, job: LiveJob, task: Task, image: str) -> None:
        if policy.must_ask(task):
            self.shelf.renew(image, job.uid)
        else:
            self.shelf.want(image, job.uid)

    def supply(self, job: LiveJob, fact: ImageFetched) -> Iterator[JobFact]:
        """What becomes of the job's tasks that have waited for an image; as `claims`.

        Where it can't be had they fail, as if each had been refused its container, and hold no runner.
        """
        waited = list(job.lacking.get(fact.image, ()))
        if not waited:
            return
        yield ImageSupplied(uid=job.uid, image=fact.image, at=fact.at)
        asking = [task_id for task_id in waited if policy.must_ask(job.tasks[task_id])]
        if fact.problem is None:
            unserved = () if fact.order.renew else asking  # they still want their registry asked
            served = set(waited).difference(unserved)
            self._supplied |= {(job.uid, task_id): fact.image for task_id in served}
            return
        if fact.order.renew:  # the others have it, or it is fetched for them
            waited = asking
        for task_id in waited:
            if self.users.is_short(job.uid):  # it is asked for again when the job has its user
                return
            if task_id in job.ready:  # else the job has failed by now
                yield from self._refuse(job, task_id, fact.problem, fact.at)

    def doubt(self, image: str) -> None:
        """It was not here when its container was to be made: whoever has waited for it, waits again."""
        self.shelf.doubt(image)
        self._supplied = {whose: each for whose, each in self._supplied.items() if each != image}

    def _refuse(self, job: LiveJob, task_id: str, problem: Failure, at: datetime) -> Iterator[JobFact]:
        """It fails before anything is asked of the engine."""
        claim = self._claim(job, task_id, at, None, "cold")
        yield claim
        message = f"task {task_id!r} could not be started: {problem.message}"
        yield LaunchFailed(key=claim.key, failure=Failure(cause=problem.cause, message=message), at=at)

    def claims_ahead(
        self, jobs: Sequence[LiveJob], at: datetime, instant: Instant | None = None
    ) -> Iterator[TaskClaimed]:
        """The tasks that get a container although they can't run yet; as `claims`, and after it.

        Making one takes the processors that a gate needs to open at once: that goes before, while at least
        half as many wait as may. Raises Unclaimable.
        """
        most = self.settings.look_ahead if self.capabilities.gates is None else 0
        left = most - sum(job.ahead for job in jobs)
        if left <= self.settings.look_ahead // 2 and any(_is_opening(each, at) for each in _live(jobs)):
            return
        for job in sorted(jobs, key=self._age) if left > 0 else ():
            for task_id in islice(self._suppliable(job, at), left):
                with _blaming(job):
                    spare = self.pool.take_spare(job, job.tasks[task_id])
                    claim = self._claim(
                        job, task_id, at, instant, "ahead" if spare is None else "warm", spare
                    )
                yield claim
                left -= 1

    def _suppliable(self, job: LiveJob, at: datetime) -> Iterator[str]:
        """Tasks that can't run yet, whose images are here; those of the others are asked for."""
        for task_id in job.prospects():
            task = job.tasks[task_id]
            late = policy.must_ask(task) or policy.is_made_late(task)
            if late or self._lack_of_secrets(task) is not None:
                continue
            image = self._lacks(job, task, at)
            if image is None:
                yield task_id
            else:
                self.shelf.foresee(image, job.uid, at)

    def grant_tending(self, jobs: Iterable[LiveJob], at: datetime) -> bool:
        """Whether warm containers are tended now: what tasks wait for goes before, but not for ever."""
        busy = any(attempt.in_making or _is_opening(attempt, at) for attempt in _live(jobs))
        if busy and self._tended_at is not None and abs(at - self._tended_at) < LONGEST_YIELD:
            return False
        self._tended_at = at
        return True

    def forget(self, uid: str) -> None:
        """The job has ended."""
        self._served.pop(uid, None)
        self._supplied = {whose: image for whose, image in self._supplied.items() if whose[0] != uid}
        self.users.release(uid)
        self.pool.forget(uid)

    def _priority(self, job: LiveJob) -> tuple[int, bool, int, datetime, str]:
        busy = job.busy > 0
        priority, created_at, name = self._age(job)
        return priority, busy, 0 if busy else self._served.get(job.uid, 0), created_at, name

    def _age(self, job: LiveJob) -> tuple[int, datetime, str]:
        """The oldest first, among those of the highest priority."""
        return -self._rank(job), job.job.created_at, job.name

    def _rank(self, job: LiveJob) -> int:
        return policy.priority(job.job, self.settings)

    def _may_go_on(self, job: LiveJob) -> bool:
        """Whether the job has a task that could run, and may hold a runner for the first of them."""
        return bool(job.ready) and self._may_run(job, next(iter(job.ready)))

    def _may_run(self, job: LiveJob, task_id: str) -> bool:
        """Whether the job may hold a runner more, for this task: what is stuck in it leaves some to others.

        Not where it has to wait for a user of its own.
        """
        if self.users.is_short(job.uid):
            return False
        most = policy.job_runners(job.tasks[task_id], self.settings)
        return job.busy < min(most, job.job.max_parallel or most)

    def _next(self, job: LiveJob, at: datetime, instant: Instant | None) -> TaskClaimed | AttemptNeeded:
        task_id = next(iter(job.ready))
        attempt = job.tasks[task_id].attempt
        if attempt is not None and attempt.undecided:
            return AttemptNeeded(key=job.attempt_key(job.tasks[task_id]), at=at, instant=instant)
        task = job.tasks[task_id]
        fits = self.pool.fits(job, task)
        warm = self.pool.take(job, task, at) if fits else self.pool.take_spare(job, task)
        return self._claim(job, task_id, at, instant, "cold" if warm is None else "warm", warm)

    def _claim(
        self,
        job: LiveJob,
        task_id: str,
        at: datetime,
        instant: Instant | None,
        start: Literal["warm", "ahead", "cold"],
        warm: WarmContainer | None = None,
        gpus: tuple[str, ...] = (),
    ) -> TaskClaimed:
        key, task = job.next_key(task_id), job.tasks[task_id]
        self._supplied.pop((job.uid, task_id), None)
        runs_as = self.users.user_for(job.uid)
        grant = policy.grant(task, runs_as or job.owner, self._network(job, warm), self.settings)
        if gpus:
            grant = grant.model_copy(update={"gpus": gpus})
        return TaskClaimed(
            key=key,
            at=at,
            container=containers.container_name(self.home_id, job.name, key),
            grant=policy.with_secrets(grant, task, job.owner, self.settings),
            work=_work(job, warm),
            runs_as=runs_as,
            instant=instant,
            start=start,
            gated=self.capabilities.gates is None and grant.runtime is None,
            warm=warm,
        )

    def _network(self, job: LiveJob, warm: WarmContainer | None) -> str:
        """What holds the network of the job's tasks: decided at the first claim, and the same ever after."""
        if job.job.network is not None:
            return job.job.network
        if warm is not None:
            return containers.warm_network_name(warm.name)
        return containers.network_name(self.home_id, job.name, job.uid)


def _work(job: LiveJob, warm: WarmContainer | None) -> str:
    """The folder that the job's tasks share: likewise."""
    if job.job.work_folder is not None:
        return job.job.work_folder
    return containers.work_name(job.name, job.uid) if warm is None else warm.name


@contextmanager
def _blaming(job: LiveJob) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise Unclaimable(job.uid) from error


def _live(jobs: Iterable[LiveJob]) -> Iterator[Attempt]:
    """The attempts that may have a container."""
    return (job.tasks[task_id].attempts[-1] for job in jobs for task_id in job.live)


def _is_opening(attempt: Attempt, at: datetime) -> bool:
    ready_at = attempt.timings.ready_at
    return attempt.phase is Phase.WAITING and ready_at is not None and abs(at - ready_at) < HASTE
