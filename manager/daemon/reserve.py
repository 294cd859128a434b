"""Room on the disk that is kept for what must be written when nobody else finds any."""

import errno
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from air_executor.files import Create, create_exclusively

log = logging.getLogger(__name__)

MIB = 1 << 20
SPARE = MIB // 4
"""Bytes of one file of the reserve: more than most records take, so that little is given up for each."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

Result = TypeVar("Result")


class Reserve:
    """A folder of spare files with blocks of their own: each is an inode and some space. For any thread.

    Spares are given up one by one, and only for what can't be written without. A new file is written into a
    spare, so nobody can take that room in between. What is added to a file gets the room of a spare that is
    deleted: who fills the disk may be quicker than we are and take one, but hardly all of them.
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

    def spend_on_new(self, write: Callable[[Create], Result]) -> Result:
        """As `spend`, for what is written into new files: made by what `write` is given, out of spares."""
        try:
            return write(create_exclusively)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
        return self.spend(lambda: write(self._create))

    def _create(self, name: str, folder: int) -> BinaryIO:
        """A spare, by another name and in another folder; where none is left, into the room that they had."""
        with self._lock:
            if not self._spares:
                return create_exclusively(name, folder)
            spare = self._spares.pop()
            self._say_what_is_left()
            try:
                os.rename(spare, name, dst_dir_fd=folder)
            except OSError:  # on another file system
                spare.unlink(missing_ok=True)
                return create_exclusively(name, folder)
        return os.fdopen(os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), "wb")

    def _say_what_is_left(self) -> None:
        log.info("the disk is full: %d spare files are left in %s", len(self._spares), self._folder)

    def _give_up_one(self) -> bool:
        with self._lock:
            while self._spares:
                spare = self._spares.pop()
                with suppress(OSError):
                    spare.unlink()
                    self._say_what_is_left()
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
