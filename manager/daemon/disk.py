"""Whether the home folder's file system has room for what a further task will write."""

import logging
import os
from pathlib import Path
from typing import NamedTuple, Self

log = logging.getLogger(__name__)

MIB = 1 << 20


class Floor(NamedTuple):
    """What must be free, by the operator's settings `min_free_mb` and `min_free_inodes`."""

    mb: int
    inodes: int


class Disk:
    """The home folder's file system; `shortage` says what was short at the last look, if anything was."""

    def __init__(self, home: Path, floor: Floor) -> None:
        self._home = home
        self._floor = floor
        self.shortage: str | None = None
        self.filled_by = ""
        """Who has most of what is used, in words, where that is known."""

    def look(self) -> None:
        """Look how much is free; costs microseconds."""
        short = shortage(self._home, self._floor)
        if short and self.filled_by:
            short = f"{short}; most is used by {self.filled_by}"
        before, self.shortage = self.shortage, short
        if self.shortage and not before:
            log.error("no further task is started: %s", self.shortage)
        elif before and not self.shortage:
            log.info("%s has room again; tasks are started", self._home)


class Free(NamedTuple):
    """What is free on a file system; no number of inodes where it has no fixed number of them."""

    bytes: int
    inodes: int | None

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Raises OSError for a file system that can't be asked."""
        told = os.statvfs(folder)
        return cls(told.f_bavail * told.f_frsize, told.f_favail if told.f_files else None)

    def or_more(self, later: "Free") -> "Free":
        """Of each the larger one."""
        return Free(max(self.bytes, later.bytes), max(self.inodes or 0, later.inodes or 0))


def shortage(folder: Path, floor: Floor) -> str | None:
    """What is short, in words, or None where there is room. A file system that can't be asked has room."""
    try:
        free = Free.of(folder)
    except OSError:
        return None
    if free.bytes // MIB < floor.mb:
        return f"{folder} has {free.bytes // MIB} MiB of free space, the setting min_free_mb wants {floor.mb}"
    if free.inodes is not None and free.inodes < floor.inodes:
        wanted = f"the setting min_free_inodes wants {floor.inodes}"
        return f"{folder} has room for {free.inodes} more files only, {wanted}"
    return None
