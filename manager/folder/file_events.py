"""What changes in folders, told by the kernel at once (inotify): who waits for it sleeps until then."""

import errno
import os
import select
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from inotify_simple import INotify, flags  # type: ignore[import-untyped]

BEING_WRITTEN = 0.01
"""Seconds for which a file that was just made is waited for: most writers have closed theirs by then."""

GONE = flags.DELETE | flags.MOVED_FROM | flags.DELETE_SELF | flags.MOVE_SELF
LISTENED_TO = GONE | flags.CREATE | flags.MOVED_TO | flags.CLOSE_WRITE | flags.ATTRIB
"""Not each time that something is written to a file: only when its writer has closed it."""

LIMITS = {
    errno.EMFILE: "no more inotify instances, or open files, are allowed (fs.inotify.max_user_instances)",
    errno.ENOSPC: "no more inotify watches are allowed (fs.inotify.max_user_watches)",
}


class NoFileEvents(Exception):
    """File events can't be had here: a limit is reached, or the system has none."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something in a folder, or the folder itself, was made, written, changed, moved or removed."""

    path: Path
    gone: bool = False
    """Whether what had this path was removed or moved away; something else may be there by now."""


class FileEvents:
    """The changes in a set of folders, not in what is below them."""

    def __init__(self) -> None:
        """Raises NoFileEvents."""
        self._folders: dict[int, Path] = {}
        """By the number that the kernel has given to the watch."""
        self._lock = threading.Lock()
        self._closed = False
        with _limits_told():
            self._inotify = INotify(nonblocking=True)
            try:
                self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            except BaseException:
                self._inotify.close()
                raise
        self._poll = select.poll()
        for source in (self._inotify.fileno(), self._bell):
            self._poll.register(source, select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            os.close(self._bell)
            self._inotify.close()

    def watch(self, folders: Iterable[Path]) -> set[Path]:
        """Watch these, and no others: those that were not watched before, as what was made anew was not.

        Raises FileNotFoundError when one is not there, with some of the others watched; NoFileEvents.
        """
        wanted: set[int] = set()
        fresh: set[Path] = set()
        for folder in folders:
            with _limits_told():
                watch = self._inotify.add_watch(folder, LISTENED_TO)
            if watch not in self._folders:
                fresh.add(folder)
            if watch not in wanted:  # of a folder with two names, the first one counts
                self._folders[watch] = folder
            wanted.add(watch)
        for watch in self._folders.keys() - wanted:
            del self._folders[watch]
            with suppress(OSError):  # it ended with its folder
                self._inotify.rm_watch(watch)
        return fresh

    def wait(self, seconds: float) -> list[Change]:
        """The changes since the last call, as soon as there are any; none when the time is over, or `wake`.

        When there were too many to be told, every folder counts as changed as well.
        """
        end = time.monotonic() + seconds
        while True:
            self._sleep(end - time.monotonic())
            events = self._read()
            if events and all(map(_begins_a_file, events)):
                self._sleep(BEING_WRITTEN)
                events += self._read()
            rang = self._rang()
            changes = [self._change(event) for event in events if event.wd in self._folders]
            if any(event.mask & flags.Q_OVERFLOW for event in events):
                changes += map(Change, self._folders.values())
            if changes or rang or time.monotonic() >= end:
                return changes

    def wake(self) -> None:
        """Let who waits return, or not begin to wait. Any thread may, also when nobody waits any more."""
        with self._lock:
            if not self._closed:
                os.eventfd_write(self._bell, 1)

    def _sleep(self, seconds: float) -> None:
        self._poll.poll(max(seconds, 0) * 1000)

    def _read(self) -> list[Any]:
        # A watch that ends says so: after rm_watch, or after what ended it was told.
        return [event for event in self._inotify.read(timeout=0) if not event.mask & flags.IGNORED]

    def _rang(self) -> bool:
        with suppress(BlockingIOError):
            return os.eventfd_read(self._bell) > 0
        return False

    def _change(self, event: Any) -> Change:
        path = self._folders[event.wd] / event.name  # no name: the folder itself
        return Change(path, gone=bool(event.mask & GONE))


def _begins_a_file(event: Any) -> bool:
    return bool(event.mask & flags.CREATE and not event.mask & flags.ISDIR)


@contextmanager
def _limits_told() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NoFileEvents(LIMITS.get(error.errno or 0, str(error))) from error
    except AttributeError as error:  # elsewhere than on Linux
        raise NoFileEvents("this system has no inotify") from error
