"""Files and folders that strangers wrote: no link is followed, nothing blocks, what is read is bounded."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class NotRegular(Exception):
    """What has that name is a pipe, a socket, a device or a folder, and no regular file."""


class NotItsOwn(Exception):
    """What has that name belongs somewhere else: a link, or one more name of somebody else's file."""


class TooLarge(Exception):
    """The file has more bytes than its reader takes."""


@contextmanager
def opened(path: str | Path, *below: str, folder: int | None = None) -> Iterator[int]:
    """A handle of the folder `below` the folder `path`, which is a name in `folder` where one is given.

    Raises OSError where a part is a link, is no folder or is not there.
    """
    handle = os.open(path, FOLDER, dir_fd=folder)
    try:
        for name in below:
            inner = os.open(name, FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


@contextmanager
def opened_file(path: str | Path, folder: int | None = None) -> Iterator[int]:
    """A handle of the regular file `path`, a name in `folder` where one is given. Never waits for a writer.

    In a `folder` no link is followed. A path is: who may put a link there could as well write the file.
    Raises NotRegular; OSError where it can't be opened.
    """
    handle = os.open(path, FILE if folder is None else FILE | os.O_NOFOLLOW, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NotRegular
        yield handle
    finally:
        os.close(handle)


@contextmanager
def opened_own(name: str, folder: int) -> Iterator[int]:
    """A handle of the regular file `name` in `folder` that is the folder's own.

    That is one of the folder's owner; or of root or of who reads it, where it has no other name. So whoever
    may write to the folder can't put a file of others there, for a reader who may read it to show.

    Raises NotItsOwn, NotRegular; OSError where it can't be opened.
    """
    try:
        handle = os.open(name, FILE | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotItsOwn from None
        if error.errno == errno.ENXIO:  # a socket
            raise NotRegular from None
        raise
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegular
        if status.st_uid != os.fstat(folder).st_uid and not (
            status.st_uid in (0, os.geteuid()) and status.st_nlink == 1
        ):
            raise NotItsOwn
        yield handle
    finally:
        os.close(handle)


def is_regular(name: str, folder: int) -> bool:
    """Whether a regular file of that name is in `folder`."""
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def is_folder(name: str, folder: int) -> bool:
    """Whether what has that name in `folder` is a folder itself, and no link to one. Raises OSError."""
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def whole(file: int, limit: int) -> bytes:
    """All that is in an opened file. Raises TooLarge, before it is read, where that is more than `limit`."""
    size = os.fstat(file).st_size
    if size > limit:
        raise TooLarge
    return os.read(file, size)
