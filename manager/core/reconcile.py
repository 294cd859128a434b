"""PURE. The engine's list of containers, against the record: at every poll.

Which containers serve nobody, which jobs have lost their network, which ends nobody has noticed; and whether
that has been so for long enough to be acted on.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from air_executor.format.attempts import Phase
from manager.core.live_job import LiveJob
from manager.model import containers
from manager.model.container_spec import JOB_UID, ROLE, key_of, warm_of
from manager.model.facts import ContainersListed, Listed
from manager.model.values import AttemptKey

CERTAIN_AFTER = 0.9
"""Seconds that something must look wrong, at two looks at least, before it is acted on."""


@dataclass(frozen=True)
class Certain:
    """What is wrong for sure."""

    orphans: frozenset[str]
    """Containers that serve nobody."""
    networkless: frozenset[str]
    """Jobs, by uid, whose network is gone."""
    unnoticed: frozenset[AttemptKey]
    """Attempts that have ended, and nobody has noticed."""


@dataclass
class Suspects:
    """At one look something may just have been about to change."""

    sweep_after: float
    """Seconds for which a container must have served nobody."""
    _since: dict[str | AttemptKey, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is something to look at again."""
        return bool(self._since)

    def review(
        self, listed: ContainersListed, jobs: Mapping[str, LiveJob], pool: Collection[str], now: float
    ) -> Certain:
        """What is certain by now, in seconds of a monotonic clock."""
        idle = orphans(listed.containers, jobs, pool)
        networkless = without_network(listed.containers, jobs)
        silent = unnoticed(listed.containers, jobs)
        suspects: set[str | AttemptKey] = {*idle, *networkless, *silent}
        self._since = {each: self._since.get(each, now) for each in suspects}
        long = {each for each, since in self._since.items() if now - since >= CERTAIN_AFTER}
        return Certain(
            orphans=frozenset(each for each in idle & long if now - self._since[each] >= self.sweep_after),
            networkless=frozenset(networkless & long),
            unnoticed=frozenset(silent & long),
        )


def orphans(listed: Iterable[Listed], jobs: Mapping[str, LiveJob], pool: Collection[str] = ()) -> set[str]:
    """The containers that belong to no live attempt, no live job, and not to the `pool` (names)."""
    attempts = (job.tasks[task_id].attempts[-1] for job in jobs.values() for task_id in job.live)
    busy = {attempt.warm for attempt in attempts if attempt.warm is not None} | set(pool)
    networks = {job.job.network for job in jobs.values()} | set(map(containers.warm_network_name, busy))
    return {each.container for each in listed if not _serves(each, jobs, networks, busy)}


def _serves(
    listed: Listed, jobs: Mapping[str, LiveJob], networks: Collection[str | None], busy: Collection[str]
) -> bool:
    """`networks` and `busy` are the names of those that somebody has, or will have."""
    job = jobs.get(listed.labels.get(JOB_UID, ""))
    match listed.labels.get(ROLE):
        case "network" if key := key_of(listed.labels):  # of one attempt alone
            return job is not None and _is_live(job, key)
        case "network":
            return job is not None or listed.name in networks
        case "warm" | "slot":  # its name before
            return warm_of(listed.labels) in busy
        case "task":
            return job is not None and _is_live(job, key_of(listed.labels))
        case _:  # a probe that its manager did not live to remove, among others
            return False


def _is_live(job: LiveJob, key: AttemptKey | None) -> bool:
    attempt = job.tasks[key.task].attempt if key is not None and key.task in job.tasks else None
    if key is None or attempt is None or attempt.phase is Phase.REMOVED:
        return False
    return (attempt.number, attempt.incarnation) == (key.number, key.incarnation)


def without_network(listed: Iterable[Listed], jobs: Mapping[str, LiveJob]) -> set[str]:
    """The jobs, by uid, with tasks running in a shared network that nothing holds any more."""
    held = {each.name for each in listed if each.labels.get(ROLE) == "network" and not each.ended}
    return {uid for uid, job in jobs.items() if job.job.network not in held and any(job.networked())}


def unnoticed(listed: Iterable[Listed], jobs: Mapping[str, LiveJob]) -> set[AttemptKey]:
    """The attempts that run by their jobs' records, and have ended, or are gone, by the engine's list."""
    running = {each.container for each in listed if not each.ended}
    return {
        job.attempt_key(task)
        for job in jobs.values()
        for task_id in job.live
        if (task := job.tasks[task_id]).attempts[-1].phase is Phase.RUNNING
        and task.attempts[-1].container.id not in running
    }
