"""Whether the home folder's file system has room for what a further task will write."""

import os
from pathlib import Path

MIB = 1 << 20
MIN_FREE_INODES = 100


def shortage(folder: Path, min_free_mb: int) -> str | None:
    """What is short, in words, or None where there is room. A file system that can't be asked has room."""
    try:
        told = os.statvfs(folder)
    except OSError:
        return None
    free_mb = told.f_bavail * told.f_frsize // MIB
    if free_mb < min_free_mb:
        return f"{folder} has {free_mb} MiB of free space, the setting min_free_mb wants {min_free_mb}"
    if told.f_files and told.f_favail < MIN_FREE_INODES:  # some file systems have no fixed number of them
        return f"{folder} has room for {told.f_favail} more files only"
    return None
