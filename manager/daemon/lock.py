"""One manager for one folder."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from air_executor.daemon import LOCK

TRIES = 10
PAUSE = 0.03
"""Seconds between two tries."""


class AlreadyManaged(Exception):
    """Another manager has this folder."""


@contextmanager
def hold(home: Path) -> Iterator[None]:
    """Hold the folder's lock; the kernel lets go of it whenever this process ends, however it does.

    Raises AlreadyManaged at once when somebody else holds it.
    """
    handle = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(handle, 0o600)  # who can open it can hold it; an older manager let everybody
        if not _locked(handle):
            holder = os.read(handle, 200).decode(errors="replace").strip() or "another manager"
            raise AlreadyManaged(f"{home} is already managed by {holder}; stop that one first")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    """`doctor`, and the `status` of older versions, hold the lock for a moment as well: try again."""
    for _ in range(TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(PAUSE)
    return False
