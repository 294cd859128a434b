"""How far and how fast a walk goes through folders that tasks go on changing: it ends, whatever they do."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from manager.folder.allowance import Allowance

STEPS_A_NAME = 5
"""Steps for each name that a job may have: a folder is seen, entered and left, and some are come to again."""
AT_ONCE = 1000
"""Steps between two rests, of short ones: some 20 ms."""
LONG = 0.02
"""Seconds that steps may take together, until a rest is due however few they are."""
SHARE, SAVED = 0.5, 1.0
"""A walk gets half of a processor, and a second before it rests for the first time: some 50,000 names."""

Step = TypeVar("Step")


class Endless(Exception):
    """The walk has come further than it could where nobody made or moved folders meanwhile."""


class Pace:
    """The pace of all walks, from any thread; each has its own steps, and its own time."""

    def __init__(
        self,
        names: int = 200_000,
        sleep: Callable[[float], None] = time.sleep,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        """`names`: how many a job may have. `sleep` is asked between steps, for no time as well, and may end
        the walk with an exception; `spent` tells how long this thread has computed."""
        self._most = STEPS_A_NAME * names
        self._sleep = sleep
        self._spent = spent

    def keep(self, steps: Iterator[Step]) -> Iterator[Step]:
        """The same steps. Raises Endless, and what `sleep` raises."""
        allowance, began = Allowance(SHARE, SAVED), self._spent()
        for number, step in enumerate(steps, 1):
            if number > self._most:
                raise Endless
            yield step
            now = self._spent()
            if number % AT_ONCE == 0 or now - began > LONG:
                allowance.spend(now - began)
                began = now
                self._sleep(max(0.0, allowance.rest))


USUAL = Pace()
"""For as many names as a job may have by default."""
