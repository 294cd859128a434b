"""Whether the home folder's file system has room for what a further task will write."""

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

MIB = 1 << 20
MIN_FREE_INODES = 100


class Disk:
    """The home folder's file system; `shortage` says what was short at the last look, if anything was."""

    def __init__(self, home: Path, min_free_mb: int) -> None:
        self._home = home
        self._min_free_mb = min_free_mb
        self.shortage: str | None = None

    def look(self) -> None:
        """Look how much is free; costs microseconds."""
        before, self.shortage = self.shortage, shortage(self._home, self._min_free_mb)
        if self.shortage and not before:
            log.error("no further task is started: %s", self.shortage)
        elif before and not self.shortage:
            log.info("%s has room again; tasks are started", self._home)


def free_mb(folder: Path) -> int:
    """Free space, in MiB. Raises OSError for a file system that can't be asked."""
    return _free_mb(os.statvfs(folder))


def shortage(folder: Path, min_free_mb: int) -> str | None:
    """What is short, in words, or None where there is room. A file system that can't be asked has room."""
    try:
        told = os.statvfs(folder)
    except OSError:
        return None
    free = _free_mb(told)
    if free < min_free_mb:
        return f"{folder} has {free} MiB of free space, the setting min_free_mb wants {min_free_mb}"
    if told.f_files and told.f_favail < MIN_FREE_INODES:  # some file systems have no fixed number of them
        return f"{folder} has room for {told.f_favail} more files only"
    return None


def _free_mb(told: os.statvfs_result) -> int:
    return told.f_bavail * told.f_frsize // MIB
