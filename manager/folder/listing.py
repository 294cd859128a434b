"""What is in the jobs folder: listed again only where that may have changed, for there may be very many."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from air_executor.format import names
from air_executor.store import WAKE

SETTLED = 3.0
"""Seconds for which a folder's time has stood still, after which any change will give it another one: the
coarsest clocks of file systems go by two seconds."""
GOOD_FOR = 60.0
"""Seconds after which it is listed in any case: some file systems are not to be trusted that far."""


@dataclass
class Listing:
    """What is in the jobs folder at one moment."""

    folders: dict[str, int] = field(default_factory=dict)
    """Folders that may be jobs, with their inodes."""
    woken: list[str] = field(default_factory=list)
    """Ended jobs that somebody asks to be looked at."""


class Lister:
    """Lists one jobs folder, for one thread."""

    def __init__(self, jobs: Path) -> None:
        self._jobs = jobs
        self._stamp: tuple[int, int] | None = None
        self._stands_since = 0.0
        """When the folder was first seen with that stamp, by the monotonic clock."""
        self._good_until = 0.0

    def doubt(self) -> None:
        """The next listing is wanted in any case."""
        self._good_until = 0.0

    def changed(self) -> Listing | None:
        """What is there now; None where it is certain that this has not changed since the last time."""
        now, stamp = time.monotonic(), _stamp(self._jobs)
        if stamp != self._stamp:
            self._stamp, self._stands_since, self._good_until = stamp, now, 0.0
        elif now < self._good_until:
            return None
        listing = self._list()
        if now - self._stands_since >= SETTLED:
            self._good_until = now + GOOD_FOR
        return listing

    def _list(self) -> Listing:
        listing = Listing()
        with suppress(FileNotFoundError), os.scandir(self._jobs) as entries:
            for entry in entries:
                if names.is_name(entry.name):
                    if entry.is_dir(follow_symlinks=False):
                        listing.folders[entry.name] = entry.inode()
                elif entry.name.startswith(WAKE) and names.is_name(entry.name.removeprefix(WAKE)):
                    listing.woken.append(entry.name.removeprefix(WAKE))
        return listing


def _stamp(folder: Path) -> tuple[int, int] | None:
    """Its inode, and when an entry of it was last made, renamed or removed; None where it is not there."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
