"""Short ways to make what the tests of the manager talk about."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from air_executor.format.attempts import Grant, Phase
from air_executor.format.models import Job, Task
from manager.core import lifecycle, policy
from manager.core.live_job import LiveJob
from manager.core.scheduler import Scheduler
from manager.core.warm_pool import WarmPool
from manager.model import containers
from manager.model.container_spec import ContainerSpec
from manager.model.facts import (
    AttemptNeeded,
    CommandSucceeded,
    ContainerCreated,
    ContainerExited,
    ContainerRemoved,
    ContainerStarted,
    ContainerVoided,
    ContainerWaiting,
    JobFact,
    OfAttempt,
    TaskClaimed,
)
from manager.model.home import Home
from manager.model.values import AttemptKey, Capabilities, ExitResult, Owner
from manager.settings import Settings

T0 = datetime(2025, 10, 2, 7, 30, tzinfo=UTC)
UID = "0123456789abcdef0123456789abcdef"
OWNER = Owner(1000, 1000)
HOME = Home("00d1ed0ddba11000", Path("/srv/air-executor"))


def at(seconds: float) -> datetime:
    """A moment, some seconds after the beginning of time."""
    return T0 + timedelta(seconds=seconds)


def task(task_id: str = "a", *dependencies: str, **fields: Any) -> Task:
    fields.setdefault("command", "true")
    return Task(id=task_id, dependencies=dependencies, created_at=T0, job_name="job", **fields)


def live_job(
    *tasks: Task, uid: str = UID, max_tasks: int = 1000, name: str = "job", **fields: Any
) -> LiveJob:
    """A job that the manager has just taken."""
    record = Job(id="1", name=name, uid=uid, created_at=T0, updated_at=T0, **fields)
    job = LiveJob(record, tasks or (task(),), OWNER, max_tasks=max_tasks)
    job.take(T0)
    return job


def settings(home: Path = Path("/nowhere"), **fields: Any) -> Settings:
    return Settings(home=home, **fields)


def key(task_id: str = "a", number: int = 1, uid: str = UID, incarnation: int = 1) -> AttemptKey:
    return AttemptKey(uid, task_id, number, incarnation)


def claimed(of: AttemptKey, seconds: float = 1) -> TaskClaimed:
    return TaskClaimed(
        key=of,
        container=f"airx-{of.task}-{of.number}",
        grant=granted(task(image="image", timeout=60.0)),
        at=at(seconds),
    )


def ahead(of: AttemptKey, seconds: float = 1) -> TaskClaimed:
    """A claim for a task whose turn has not come."""
    return TaskClaimed(
        key=of,
        container=f"airx-{of.task}-{of.number}",
        grant=granted(task(image="image", timeout=60.0)),
        at=at(seconds),
        start="ahead",
    )


def waits(of: AttemptKey, seconds: float = 2.5) -> ContainerWaiting:
    made = created(of)
    return ContainerWaiting(
        key=of,
        container_id=made.container_id,
        image_id=made.image_id,
        created_at=made.created_at,
        container_started_at=at(seconds),
        at=at(seconds),
    )


def needed(of: AttemptKey, seconds: float = 2.7) -> AttemptNeeded:
    return AttemptNeeded(key=of, at=at(seconds))


def voided(of: AttemptKey, seconds: float = 3) -> ContainerVoided:
    return ContainerVoided(key=of, at=at(seconds))


def created(of: AttemptKey, seconds: float = 2) -> ContainerCreated:
    return ContainerCreated(
        key=of,
        container_id=f"id-{of.task}-{of.number}",
        image_id="sha256:image",
        created_at=at(seconds),
        at=at(seconds),
    )


def started(of: AttemptKey, seconds: float = 3) -> ContainerStarted:
    return ContainerStarted(key=of, started_at=at(seconds), at=at(seconds))


def succeeded(of: AttemptKey, seconds: float = 3.5) -> CommandSucceeded:
    """So its gate says, before the engine does."""
    return CommandSucceeded(key=of, finished_at=at(seconds), at=at(seconds + 0.1))


def exited(of: AttemptKey, code: int = 0, seconds: float = 4, **fields: Any) -> ContainerExited:
    fields = {"oom_killed": False, "started_at": at(3), "finished_at": at(seconds)} | fields
    return ContainerExited(key=of, result=ExitResult(code, **fields), at=at(seconds + 0.5))


def removed(of: AttemptKey, seconds: float = 5) -> ContainerRemoved:
    return ContainerRemoved(key=of, at=at(seconds))


def run(job: LiveJob, task_id: str, code: int = 0, number: int = 1) -> None:
    """Take one attempt of a task from its claim to the container's removal."""
    of = key(task_id, number, job.uid)
    for fact in (claimed(of), created(of), started(of), exited(of, code), removed(of)):
        job.apply(fact)


def after(*facts: OfAttempt, of: Task | None = None) -> Task:
    """The task after these facts."""
    result = of or task("a")
    for fact in facts:
        result = lifecycle.step(result, fact, T0)
    return result


def begun(job: LiveJob, *names: str) -> LiveJob:
    """The job, with these tasks running."""
    for name in names:
        of = key(name, uid=job.uid)
        for fact in (claimed(of), created(of), started(of)):
            job.apply(fact)
    return job


def granted(of: Task | None = None, owner: Owner = OWNER, **rules: Any) -> Grant:
    """What an attempt at the task gets, in a job whose network is the usual one."""
    network = containers.network_name(HOME.id, "job", UID)
    return policy.grant(of or task(), owner, network, settings(**rules))


def container(
    of: Task,
    at: AttemptKey,
    work: Path = Path("/work/job"),
    *,
    job: str = "job",
    owner: Owner = OWNER,
    home: Home = HOME,
    **rules: Any,
) -> ContainerSpec:
    """The container of an attempt, as it is claimed and then asked for."""
    grant = policy.grant(of, owner, containers.network_name(home.id, job, at.uid), settings(**rules))
    name = containers.container_name(home.id, job, at)
    return containers.task_container(job, of, at, name, grant, work, home)


def network(uid: str = UID, home: Home = HOME, **rules: Any) -> ContainerSpec:
    """The container that holds the network of the job with this uid."""
    name = containers.network_name(home.id, "job", uid)
    return containers.network_container(name, "job", uid, home, settings(**rules))


ABLE = Capabilities(gates=None, warm=None)
"""Everything can be done."""


def no_pool() -> WarmPool:
    """A pool with nothing in it, that stays so."""
    return WarmPool(settings(), lambda: "never", (OWNER,))


AHEAD: dict[Phase, list[JobFact]] = {
    Phase.CLAIMED: [ahead(key("b"))],
    Phase.CREATED: [ahead(key("b")), created(key("b"))],
    Phase.WAITING: [ahead(key("b")), created(key("b")), waits(key("b"))],
}
"""How far a container for `b`, made ahead, has come."""


def foreseen(phase: Phase, turn_has_come: bool = False) -> LiveJob:
    """A job with a task that runs, and one for which a container was made ahead; after a restart."""
    job = live_job(task("a"), task("b", "a", retries=0))
    facts = [claimed(key("a")), created(key("a")), started(key("a")), *AHEAD[phase]]
    for fact in facts:
        job.apply(fact)
    if turn_has_come:
        job.apply(exited(key("a"), seconds=5))
        job.apply(removed(key("a"), 6))
        job.apply(needed(key("b"), 7))
    job.recall()
    return job


def take(jobs: list[LiveJob], runners: int, who: Scheduler | None = None) -> list[str]:
    """The claims of one round, applied one after the other."""
    who = who or Scheduler("home", settings(max_runners=runners), no_pool())
    found = []
    for claim in who.claims(jobs, at(1)):
        next(job for job in jobs if job.uid == claim.key.uid).apply(claim)
        found.append(f"{claim.key.uid[0]}.{claim.key.task}")
    return found


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(seconds: int, nanoseconds: int = 0) -> datetime:
    """As a gate tells it. By whole numbers: a float has no room for the microseconds of far times."""
    return EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)


def spec(*, owner: Owner = OWNER, limits: dict[str, Any] | None = None, **fields: Any) -> ContainerSpec:
    """The container of the second attempt at a task with these fields, where these settings rule."""
    return container(task("a", **fields), key("a", 2), owner=owner, **(limits or {}))


class Clock:
    """A time that passes only when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now
