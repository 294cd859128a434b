"""The markers `cancel`, `retry` and `reset`, by which people ask something of a job, -> facts.

Live jobs are few: their folders are watched for events, and each look at one looks for `cancel` as well.

Ended jobs may be many, and their folders are not watched. Whoever drops `retry` or `reset` through the
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
from air_executor.files import Version
from air_executor.format.layout import CANCEL, RESET, RETRY
from air_executor.store import JobFolder, Store
from air_executor.untrusted import opened
from manager.model.facts import CancelRequested, Fact, ResetRequested, RetryRequested

MOST_AT_A_POLL = 500
"""Ended folders that are looked at in one poll: a few system calls each, some 10 ms for all of them."""

REQUESTS: dict[str, type[ResetRequested | RetryRequested]] = {RESET: ResetRequested, RETRY: RetryRequested}
"""What each marker asks for. RESET comes first: where both are there, the job starts over."""


class Markers:
    """Tells what is asked of jobs.

    `cancel` is told of at each look, `retry` and `reset` once, until the marker is gone or was made again.
    """

    def __init__(self, store: Store, emit: Callable[[Fact], None]) -> None:
        self._store = store
        self._emit = emit
        self._told: dict[str, Version] = {}
        self._staying: dict[Path, Version] = {}
        """Wake files that could not be removed: they may be somebody else's."""
        self._last = ""
        """The folder that the last poll ended with."""

    def look_at_live(self, job: JobFolder, uid: str) -> None:
        """Tell whether the live job is to be cancelled."""
        if marker := cancel_asked(job):
            self._emit(CancelRequested(uid=uid, marker=marker, at=utc_now()))

    def wake(self, names: Iterable[str]) -> None:
        """Look at the ended jobs that have a wake file, which is taken away."""
        for name in names:
            if self._taken_away(self._store.wake_file(name)):
                self.look_at_ended(name)

    def poll(self, ended: Collection[str]) -> None:
        """Look at some of the ended jobs, and at the next poll at those that follow in the order of names."""
        names = sorted(ended)
        begin = bisect_right(names, self._last)
        for name in (names[begin:] + names[:begin])[:MOST_AT_A_POLL]:
            self.look_at_ended(name)
            self._last = name

    def look_at_ended(self, name: str) -> None:
        """Tell of the markers that are in the job's folder and have not been told of."""
        for marker, version in _versions(self._store.folder(name)).items():
            if self._is_fresh(f"{name}/{marker}", version):
                self._emit(REQUESTS[marker](name=name, at=utc_now()))

    def _is_fresh(self, marker: str, version: Version | None) -> bool:
        if version is None:
            self._told.pop(marker, None)
            return False
        fresh = self._told.get(marker) != version
        self._told[marker] = version
        return fresh

    def _taken_away(self, file: Path) -> bool:
        """Whether this wake file is a new one. It goes before the look: a later marker makes another one."""
        version = _version(file)
        if version is None or self._staying.get(file) == version:
            return False
        self._staying[file] = version
        with suppress(OSError):
            file.unlink()
            del self._staying[file]
        return True


def cancel_asked(job: JobFolder) -> str | None:
    """The marker by which the job is to be cancelled, told from an earlier one.

    None where there is none, or where the job's folder is closed to us.
    """
    made = job.marked_at(CANCEL)
    return None if made is None else str(made)


def remove(marker: Path) -> None:
    """Take the marker away, where it is there and this process may."""
    with suppress(OSError), opened(marker.parent) as folder:
        os.unlink(marker.name, dir_fd=folder)


def _versions(job: JobFolder) -> dict[str, Version | None]:
    """What is asked of an ended job, in order."""
    try:
        with job.opened() as folder:
            return {marker: _version(marker, folder) for marker in REQUESTS}
    except OSError:
        return dict.fromkeys(REQUESTS)


def _version(file: str | Path, folder: int | None = None) -> Version | None:
    """None where there is no regular file of that name; no link is followed."""
    try:
        status = os.stat(file, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    return Version.of(status) if stat.S_ISREG(status.st_mode) else None
