"""An engine that does not answer is asked again until it does: the outcome of a call is never guessed."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from air_executor.clock import utc_now
from manager.engine.contract import ContainerGone, EngineError, EngineUnavailable
from manager.engine.outages import Outages
from manager.model.facts import EngineChanged, Fact

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
"""Seconds between two tries at an engine that does not answer."""

Result = TypeVar("Result")


class Retry:
    """Makes calls again until the engine answers or the manager stops. Safe to use from several threads."""

    def __init__(self, emit: Callable[[Fact], None]) -> None:
        self._emit = emit
        self._stopping = threading.Event()
        self.outages = Outages()
        """When the engine did not answer."""

    @property
    def stopping(self) -> bool:
        """Whether the manager stops."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """No call is made again: whoever waits gets Stopped."""
        self._stopping.set()

    def until_answered(self, call: Callable[[], Result]) -> Result:
        """What `call` returns, as soon as the engine answers. Raises EngineError when it refuses."""
        pause = FIRST_PAUSE
        while True:
            try:
                result = call()
                self.outages.end(utc_now())
                return result
            except EngineUnavailable as error:
                self.outages.begin(utc_now())
                self._emit(EngineChanged(answers=False, description=str(error)))
            self.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def until_done(self, call: Callable[[], Result]) -> Result:
        """What `call` returns, as soon as the engine no longer refuses: nothing else could be done instead.

        Raises ContainerGone.
        """
        while True:
            try:
                return self.until_answered(call)
            except ContainerGone:
                raise
            except EngineError as error:
                log.error("the engine refuses: %s; trying again", error)
                self.sleep(LONGEST_PAUSE)

    def sleep(self, seconds: float) -> None:
        """Wait for so long. Raises Stopped as soon as the manager stops."""
        if self._stopping.wait(seconds):
            raise Stopped


class Stopped(Exception):
    """The manager is going down; the next one takes up where this one left off."""
