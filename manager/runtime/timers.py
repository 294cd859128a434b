"""Facts that come when their time has: by the monotonic clock, which does not jump."""

import heapq
import itertools
import time
from collections.abc import Callable
from datetime import datetime

from air_executor.clock import utc_now
from manager.model.facts import Fact


class Timers:
    """A few facts in waiting; used by the supervisor's thread alone."""

    def __init__(self, emit: Callable[[Fact], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._emit = emit
        self._clock = clock
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, Callable[[datetime], Fact]]] = []

    def add(self, seconds: float, make: Callable[[datetime], Fact]) -> None:
        """Have `make(now)` told in `seconds`, at once where that is not positive."""
        heapq.heappush(self._waiting, (self._clock() + seconds, next(self._order), make))

    def pause(self, longest: float) -> float:
        """Seconds until the next fact is due, at most `longest`."""
        if not self._waiting:
            return longest
        return min(longest, max(0.0, self._waiting[0][0] - self._clock()))

    def run_due(self) -> None:
        """Tell the facts whose time has come."""
        while self._waiting and self._waiting[0][0] <= self._clock():
            _, _, make = heapq.heappop(self._waiting)
            self._emit(make(utc_now()))
