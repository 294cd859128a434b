"""Room on the disk that is kept for what must be written when nobody else finds any."""

import errno
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

log = logging.getLogger(__name__)

MIB = 1 << 20
SPARE = MIB // 4
"""Bytes of one file of the reserve: more than most records take, so that little is given up for each."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

Result = TypeVar("Result")


class Reserve:
    """A folder of spare files with blocks of their own: each is an inode and some space. For any thread.

    Spares are given up one by one, and only for what can't be written without: who fills the disk may be
    quicker than we are and take one, but hardly all of them.
    """

    def __init__(self, folder: Path, size: int) -> None:
        """`size` in bytes; 0 is no reserve."""
        self._folder = folder
        self._most = size // SPARE
        self._spares: list[Path] = []
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes that it has when it is whole."""
        return self._most * SPARE

    @property
    def files(self) -> int:
        """Files that it has then."""
        return self._most

    @property
    def whole(self) -> bool:
        """Whether nothing of it was given up."""
        return len(self._spares) == self._most

    def fill(self) -> None:
        """Make the spares that are missing, as far as the disk takes them; what is there counts."""
        with self._lock:
            self._spares = []
            with suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                for number in range(self._most):
                    path = self._folder / str(number)
                    _allocate(path)
                    self._spares.append(path)

    def spend(self, write: Callable[[], Result]) -> Result:
        """Call `write`, and again while the disk is full for it: each time a spare is given up first.

        Raises what `write` raises when no spare is left, or none would help.
        """
        while True:
            try:
                return write()
            except OSError as error:
                if error.errno not in DISK_FULL or not self._give_up_one():
                    raise

    def _give_up_one(self) -> bool:
        with self._lock:
            while self._spares:
                spare = self._spares.pop()
                with suppress(OSError):
                    spare.unlink()
                    log.info(
                        "the disk is full: %d spare files are left in %s", len(self._spares), self._folder
                    )
                    return True
            return False


NO_RESERVE = Reserve(Path(), 0)


def _allocate(path: Path) -> None:
    """A file whose blocks are its own. One that can't have all of them is no spare, and goes."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(handle, 0, SPARE)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(handle)
