"""How much of the manager's time one stranger may take: a share of it, and a little that was saved up."""

import time
from collections.abc import Callable


class Allowance:
    """Time that may be spent: it grows by `share` of what passes, to `most` seconds. For one thread."""

    def __init__(self, share: float, most: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._most = most
        self._clock = clock
        self._full_at = clock()
        """When nothing of it will be missing any more."""

    def spend(self, seconds: float) -> None:
        """So much was spent, whether it was there or not."""
        self._full_at = max(self._full_at, self._clock()) + seconds / self._share

    @property
    def rest(self) -> float:
        """Seconds until something may be spent again; not positive where that may be now."""
        return self._full_at - self._clock() - self._most / self._share
