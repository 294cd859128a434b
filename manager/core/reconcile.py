"""PURE. What looks wrong in the engine's list of containers, and has done so for long enough to act on it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from manager.core import recovery
from manager.core.live_job import LiveJob
from manager.model.facts import ContainersListed
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
        self, listed: ContainersListed, jobs: Mapping[str, LiveJob], slots: Collection[str], now: float
    ) -> Certain:
        """What is certain by now, in seconds of a monotonic clock."""
        orphans = recovery.orphans(listed.containers, jobs, slots)
        networkless = recovery.without_network(listed.containers, jobs)
        unnoticed = recovery.unnoticed(listed.containers, jobs)
        suspects: set[str | AttemptKey] = {*orphans, *networkless, *unnoticed}
        self._since = {each: self._since.get(each, now) for each in suspects}
        long = {each for each, since in self._since.items() if now - since >= CERTAIN_AFTER}
        old = {each for each in orphans & long if now - self._since[each] >= self.sweep_after}
        return Certain(
            frozenset(each for each in orphans if each in old),
            frozenset(each for each in networkless if each in long),
            frozenset(each for each in unnoticed if each in long),
        )
