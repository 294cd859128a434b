"""The containers that hold the networks of jobs, each made when the first task of its job joins it."""

import logging
import threading
from collections.abc import Collection
from contextlib import suppress

from air_executor.failpoints import Failpoint, reach
from manager.engine.contract import ContainerGone, Engine, EngineError, Observation, Status
from manager.model.container_spec import GUARD, HOME_ID, JOB_UID, ROLE, ContainerSpec, warm_of
from manager.model.containers import GUARDED, warm_network_name

log = logging.getLogger(__name__)

LOCKS = 64
"""Jobs share them: two that meet wait for each other, which costs time only."""


class NetworkHolders:
    """Safe to use from several threads.

    A holder that was found running is taken to run until somebody shows that it does not. None is given out
    that is to shut its network and has not said that it has.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._locks = [threading.Lock() for _ in range(LOCKS)]
        self._running: dict[str, str] = {}
        """The ids of the holders that are taken to run, by their names."""

    def id_of(self, spec: ContainerSpec) -> str:
        """The id of the running container `spec`; one that has ended is replaced, never started again."""
        with self._locks[hash(spec.name) % LOCKS]:
            known = self._running.get(spec.name)
            if known is None:
                known = self._running[spec.name] = self._found(spec) or self._made(spec)
            return known

    def keep(self, running: Collection[str]) -> None:
        """Forget all but those with these ids; one that was made after they were listed, too."""
        for container in set(self._running.values()) - set(running):
            self.forget(container)

    def review(self, found: Observation) -> None:
        """Forget the holder that is named as `found` is, where that has ended, or is another container."""
        known = self._running.get(found.name)
        if known is not None and (found.id != known or found.status is not Status.RUNNING):
            self.forget(found.name)

    def forget(self, container: str) -> None:
        """Forget the holder with this id or name: it was removed, or has ended."""
        for name, known in list(self._running.items()):
            if container in (name, known):
                self._running.pop(name, None)

    def _found(self, spec: ContainerSpec) -> str | None:
        with suppress(ContainerGone):
            found = self._engine.observe(spec.name)
            if _holds_network(found, spec):
                if found.status is Status.RUNNING and self._may_be_joined(found, spec):
                    return found.id
                self._engine.remove(found.id, spec.labels[HOME_ID])  # asked for in other words, maybe
        return None

    def _made(self, spec: ContainerSpec) -> str:
        container = self._engine.create(spec, None)
        reach(Failpoint.NETWORK_CREATED)
        found = self._engine.start(container)
        if found.status is Status.EXITED:
            self._engine.remove(found.id, spec.labels[HOME_ID])
            found = self._engine.start(self._engine.create(spec, None))
        if not self._is_shut(found):
            why = self._engine.first_words(found.id).decode(errors="replace").strip()
            self._engine.remove(found.id, spec.labels[HOME_ID])
            raise EngineError(f"the network of {spec.name} can't be shut: {why or 'it has ended'}")
        return found.id

    def _is_shut(self, holder: Observation) -> bool:
        """As far as it is to be."""
        return GUARD not in holder.labels or self._engine.first_words(holder.id) == GUARDED

    def _may_be_joined(self, holder: Observation, spec: ContainerSpec) -> bool:
        """One that other settings called for stays as long as tasks run in it: they are its job's, too."""
        if holder.labels.get(GUARD) == spec.labels.get(GUARD):
            return self._is_shut(holder)
        if not self._is_in_use(spec):
            return False
        log.warning(
            "container=%s was made by other settings of egress, and stays while tasks run in its network",
            spec.name,
        )
        return True

    def _is_in_use(self, spec: ContainerSpec) -> bool:
        return any(
            each.status is Status.RUNNING and _joins(each, spec)
            for each in self._engine.containers(spec.labels[HOME_ID])
        )


def _joins(container: Observation, holder: ContainerSpec) -> bool:
    """Whether it is one of the job's, or was made with that network for a job that nobody knew yet."""
    warm = warm_of(container.labels)
    if container.labels.get(ROLE) == "network":
        return False
    same_job = container.labels.get(JOB_UID) == holder.labels.get(JOB_UID, "")
    return same_job or (warm is not None and warm_network_name(warm) == holder.name)


def _holds_network(found: Observation, spec: ContainerSpec) -> bool:
    """Whether it is the job's, made by a manager with other settings, maybe, or when it was nobody's yet."""
    same = all(found.labels.get(label) == spec.labels[label] for label in (HOME_ID, ROLE))
    return same and found.labels.get(JOB_UID) in (None, spec.labels.get(JOB_UID))
