"""A manager that comes to a place, and does nothing any more: as a crash there would leave things."""

import pytest

from air_executor.failpoints import Failpoint
from manager.engine.retry import Stopped
from tests.fakes.manager import InProcess
from tests.waiting import until

MODULES = ("gates.gatekeeper", "gates.warm_keeper", "runtime.acts", "runtime.follower")
"""Those whose threads come to failpoints."""


class Death:
    """At the first of these points that any thread of a manager reaches."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *points: Failpoint) -> None:
        self.reached = False
        self._points = points
        for module in MODULES:
            monkeypatch.setattr(f"manager.{module}.reach", self._reach)

    def _reach(self, point: Failpoint) -> None:
        if point in self._points and not self.reached:
            self.reached = True
            raise Stopped  # the thread's work ends here, as if it had got no further

    def come(self, manager: InProcess) -> None:
        """Wait for it, and end the manager."""
        until(lambda: self.reached)
        manager.stop()
