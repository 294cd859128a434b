"""Lists the jobs folder, and only when what is in it may have changed: there may be very many jobs."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from air_executor.files import Version, version_of
from air_executor.format import names
from air_executor.store import WAKE

SETTLED = 3.0
"""Seconds without a change after which the next one is certain to give the folder another time: the coarsest
clocks of file systems go by two seconds."""
GOOD_FOR = 60.0
"""Seconds after which the folder is listed again in any case: some file systems keep no exact times."""


@dataclass
class Listing:
    """What is in the jobs folder at one moment."""

    folders: dict[str, int] = field(default_factory=dict)
    """Folders that may be jobs, with their inodes."""
    woken: list[str] = field(default_factory=list)
    """Ended jobs that somebody asks to be looked at."""


class Lister:
    """Lists one jobs folder. For use by one thread, but for `doubt`."""

    def __init__(self, jobs: Path) -> None:
        self._jobs = jobs
        self.in_doubt = True
        """Whether the folder is to be listed although it may look unchanged."""
        self._version: Version | None = None
        self._unchanged_since = 0.0
        """When the folder was first seen in that version, by the monotonic clock."""
        self._good_until = 0.0

    def doubt(self) -> None:
        """List the folder the next time in any case. Any thread may call this."""
        self.in_doubt = True

    def changed(self) -> Listing | None:
        """What is there now; None where it is certain that this has not changed since the last listing."""
        if self.in_doubt:
            self.in_doubt = False  # before the folder is looked at: a doubt that comes later stays
            self._good_until = 0.0
        now, version = time.monotonic(), version_of(self._jobs)
        if version != self._version:
            self._version, self._unchanged_since, self._good_until = version, now, 0.0
        elif now < self._good_until:
            return None
        listing = self._list()
        if now - self._unchanged_since >= SETTLED:
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
