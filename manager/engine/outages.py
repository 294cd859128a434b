"""When the engine did not answer. A container that ended about then may have ended because of that."""

import threading
from datetime import datetime, timedelta

GOING_DOWN = timedelta(seconds=15)
"""How long before it stops to answer an engine that goes down may have ended containers."""
COMING_UP = timedelta(seconds=5)
"""How long after it answers again it may say that one ended: an engine that was killed stops at its next
start what still runs (Engine 26.1, tests/faults/test_10_11_13_engine_restarted.py)."""
KEPT = 100


class Outages:
    """The times at which one engine did not answer, as its callers noticed. Safe for several threads."""

    def __init__(self) -> None:
        self._past: list[tuple[datetime, datetime]] = []
        self._since: datetime | None = None
        self._lock = threading.Lock()

    def begin(self, at: datetime) -> None:
        """A call was not answered."""
        with self._lock:
            self._since = self._since or at

    def end(self, at: datetime) -> None:
        """A call was answered."""
        if self._since is None:  # without the lock: nearly every call passes here
            return
        with self._lock:
            if self._since is not None:
                self._past = [*self._past[1 - KEPT :], (self._since, at)]
                self._since = None

    def cover(self, moment: datetime) -> bool:
        """Whether the engine was away at that moment, was about to go, or had just come back."""
        with self._lock:
            now_away = self._since is not None and moment >= self._since - GOING_DOWN
            return now_away or any(
                went - GOING_DOWN <= moment <= came + COMING_UP for went, came in self._past
            )
