"""Puts what the engine tells beside the record, and has done what follows: at polls, and after a restart."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping

from air_executor.clock import utc_now
from manager.core import recovery
from manager.core.live_job import LiveJob
from manager.core.reconcile import Suspects
from manager.core.warm_pool import WarmPool
from manager.model.facts import ContainersListed, EngineChanged, Inspected, NetworkLost, OfAttempt
from manager.runtime.dispatcher import Dispatcher
from manager.settings import Settings

log = logging.getLogger(__name__)

LOOKS_AFTER = 3
"""Polls at which the engine is looked at although nothing goes on any more."""


class Reconciler:
    """Used by the supervisor's thread alone. `wake` has the engine looked at soon."""

    def __init__(
        self, settings: Settings, pool: WarmPool, dispatcher: Dispatcher, wake: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._dispatcher = dispatcher
        self._wake = wake
        self._suspects = Suspects(settings.sweep_after)
        self._quiet_polls = 0
        self.engine_answers: bool | None = None
        """None before it was asked."""

    def poll(self, busy: bool) -> None:
        """Look at the engine, where that is worth it: a manager without jobs asks nothing of it."""
        goes_on = busy or self._suspects or self._pool.making
        self._quiet_polls = 0 if goes_on or not self.engine_answers else self._quiet_polls + 1
        if self._quiet_polls <= LOOKS_AFTER:
            self._wake()

    def stay_awake(self) -> None:
        """Something was asked of the engine: should it fail, the next polls are to see that."""
        self._quiet_polls = 0

    def engine_changed(self, fact: EngineChanged) -> None:
        """It answers, or does not; what waited in it for nobody yet, may be gone with it."""
        if fact.answers != self.engine_answers:
            if fact.answers:
                log.info("engine: %s", fact.description)
            else:
                log.warning("engine: %s; jobs wait until it does", fact.description)
                for warm in self._pool.clear():
                    self._dispatcher.discard(warm)
                self._wake()
        self.engine_answers = fact.answers

    def listed(self, fact: ContainersListed, jobs: Mapping[str, LiveJob]) -> Iterator[NetworkLost]:
        """Sweep what serves nobody, follow what has ended unnoticed; and tell whose network is gone."""
        certain = self._suspects.review(fact, jobs, self._pool.names, time.monotonic())
        for container in certain.orphans:
            log.warning("container=%s serves no task any more; removing it", container)
            self._dispatcher.sweep(container)
        for uid in certain.networkless:
            self._pool.forget(uid)  # its spare has lost it too
            yield NetworkLost(uid=uid, at=utc_now())
        for key in certain.unnoticed:
            self._dispatcher.follow_again(jobs[key.uid], key)

    def conclusions(self, job: LiveJob, fact: Inspected) -> Iterator[OfAttempt]:
        """What follows for an attempt that went on while no manager ran."""
        attempt = job.tasks[fact.key.task].attempts[-1]
        if fact.key not in job.unsure or not attempt.undecided:
            return
        log.info(
            "job=%s task=%s container=%s is %s; it was %s by the journal: %s",
            job.name,
            fact.key.task,
            attempt.container.name,
            fact.found,
            attempt.phase,
            recovery.verdict(attempt, fact),
        )
        yield from recovery.conclusions(attempt, fact)
