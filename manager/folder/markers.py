"""The markers `retry` and `reset` in the folders of ended jobs -> facts.

Ended jobs may be many, and their folders are not watched for events. Whoever drops a marker through the
library also makes a file `jobs/.wake-<job>`, so that it is found at once; markers made by hand are found by
a look at some of the folders at each poll, in turn.
"""

import os
import stat
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from air_executor.clock import utc_now
from air_executor.format.layout import RESET, RETRY
from air_executor.store import Store
from manager.model.facts import Fact, ResetRequested, RetryRequested

MOST_AT_A_POLL = 500
"""Ended folders that are looked at in one poll: two `lstat` calls each, some 10 ms for all of them."""

REQUESTS: dict[str, type[ResetRequested | RetryRequested]] = {RESET: ResetRequested, RETRY: RetryRequested}
"""What each marker asks for; who finds both, starts over."""

Version = tuple[int, int]
"""Inode and time of change: what tells a file that was made again from the one before."""


class Markers:
    """What was asked of ended jobs. Each marker is told of once, until it is gone or was made again."""

    def __init__(self, store: Store, emit: Callable[[Fact], None]) -> None:
        self._store = store
        self._emit = emit
        self._told: dict[str, Version] = {}
        self._staying: dict[Path, Version] = {}
        """Wake files that could not be removed: they may be somebody else's."""
        self._last = ""
        """The folder that the last poll ended with."""

    def wake(self, names: Iterable[str]) -> None:
        """Look at the ended jobs that have a wake file, which is taken away."""
        for name in names:
            if self._taken_away(self._store.wake_file(name)):
                self.look(name)

    def poll(self, ended: Collection[str]) -> None:
        """Look at some of the ended jobs, and at the next time at those that follow."""
        names = sorted(ended)
        begin = bisect_right(names, self._last)
        for name in (names[begin:] + names[:begin])[:MOST_AT_A_POLL]:
            self.look(name)
            self._last = name

    def look(self, name: str) -> None:
        """Tell of the markers that are in the job's folder and have not been told of."""
        for marker, request in REQUESTS.items():
            if self._is_fresh(f"{self._store.jobs}/{name}/{marker}"):
                self._emit(request(name=name, at=utc_now()))

    def _is_fresh(self, marker: str) -> bool:
        version = _version(marker)
        if version is None:
            self._told.pop(marker, None)
            return False
        fresh = self._told.get(marker) != version
        self._told[marker] = version
        return fresh

    def _taken_away(self, file: Path) -> bool:
        """Whether this wake file is a new one. It goes first: what comes after the look makes another."""
        version = _version(file)
        if version is None or self._staying.get(file) == version:
            return False
        self._staying[file] = version
        with suppress(OSError):
            file.unlink()
            del self._staying[file]
        return True


def remove(marker: Path) -> None:
    """Take it away, where it is there and this process may."""
    with suppress(OSError):
        marker.unlink()


def _version(file: str | Path) -> Version | None:
    """None where there is no regular file of that name; no link is followed."""
    try:
        status = os.lstat(file)
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
