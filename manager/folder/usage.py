"""How much a job has on the disk: every file and folder in its places, found through folder handles.

What tasks write is hostile: no link is followed, and a look goes on step by step, so that whoever looks can
rest and stop, however large or deep a tree is, and whoever moves folders about meanwhile hides no others.
"""

import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from air_executor.report import one_line
from manager.folder import workspace
from manager.folder.walk import Walk
from manager.model.home import Home

BLOCK = 512
"""Bytes of what `st_blocks` counts, whatever the file system's blocks are (POSIX stat)."""
STEPS = 1000
"""Names between two looks at the clock."""
NAMED = 3
"""Jobs that are named of those that have most."""


class Usage(NamedTuple):
    """What is on the disk: bytes in blocks of its own, and how many names files and folders have."""

    bytes: int
    inodes: int

    def __str__(self) -> str:
        return f"{self.bytes >> 20} MiB in {self.inodes} files"


NOTHING = Usage(0, 0)


class Look:
    """One look at some folders, as far as it has got. A file with several names takes its space once."""

    def __init__(self, places: Iterable[Path]) -> None:
        self.usage = NOTHING
        self._steps = chain.from_iterable(map(_steps, places))
        self._linked: set[tuple[int, int]] = set()

    def go_on(self, most: int) -> bool:
        """Take so many steps more, a name each. Whether there may be more to see."""
        done = 0
        for status in islice(self._steps, most):
            done += 1
            if status is not None:
                self._count(status)
        return done == most

    def _count(self, status: os.stat_result) -> None:
        size = status.st_blocks * BLOCK
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            file = (status.st_dev, status.st_ino)
            size = 0 if file in self._linked else size
            self._linked.add(file)
        self.usage = Usage(self.usage.bytes + size, self.usage.inodes + 1)


def _steps(place: Path) -> Iterator[os.stat_result | None]:
    """The status of `place` and of all that is below it, where it is a folder; None for other steps."""
    try:
        walk = Walk(place)
    except OSError:
        return
    try:
        for step in walk.steps():
            yield step and step.status
    finally:
        walk.close()


class Survey:
    """Which jobs have most on the disk, found out little by little, whether they have ended or not."""

    def __init__(self, home: Home, most: int) -> None:
        """Of a job, `most` names are counted: who has as many is among the first anyway."""
        self._home = home
        self._most = most
        self._ahead = _names(home.jobs)
        self._found: dict[str, Usage] = {}
        self._look: Look | None = None
        self._name = ""

    def go_on(self, seconds: float) -> bool:
        """Look about for so long. Whether there is more to see."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._look is None:
                if not self._ahead:
                    return False
                self._name = self._ahead.pop()
                work = workspace.shown(self._home.jobs / self._name)
                self._look = Look(self._home.filled_by(self._name, work))
            elif not self._look.go_on(STEPS) or self._look.usage.inodes > self._most:
                self._found[self._name], self._look = self._look.usage, None
        return True

    @property
    def words(self) -> str:
        """The first of them, as far as is known: `big (8100 MiB in 12 files), …`."""
        first = sorted(self._found.items(), key=lambda found: found[1], reverse=True)[:NAMED]
        return ", ".join(f"{one_line(name)} ({usage})" for name, usage in first)


def _names(folder: Path) -> list[str]:
    with suppress(OSError):
        return [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    return []
