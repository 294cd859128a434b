"""Deletes what tasks have left, whatever that is: however deep, with whatever modes, with links in it.

Nothing is deleted through a path: the folder that something lies in is opened first, no link is followed, and
other file systems are left alone. A task may have put folders into each other further than a path can name,
or than a process may have files open. So what lies in a folder in the folder is first moved up, beside it:
there is only ever one level, two handles, and no recursion; each folder is moved and removed once.
"""

import errno
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from air_executor.untrusted import FOLDER, is_folder, opened

ROUNDS = 100
"""How often a folder may be found not empty in a row although all was deleted: somebody adds to it."""
OURS = 0o700
"""What the owner of a folder has to be allowed, so that it can be emptied and moved."""


def remove(name: str, folder: int) -> None:
    """Delete what has this `name` in `folder`; it may be anything, or not there. Raises OSError."""
    try:
        if not is_folder(name, folder):
            os.unlink(name, dir_fd=folder)
            return
        with _opened(name, folder) as top:
            _empty(top)
        os.rmdir(name, dir_fd=folder)
    except FileNotFoundError:
        return


def delete(path: Path) -> None:
    """Delete what is at `path`, but not where the folder that it is in is a link. What can't be, stays."""
    with suppress(OSError), opened(path.parent) as parent:
        remove(path.name, parent)


def _empty(top: int) -> None:
    """Delete all that is in the folder. What can't be deleted keeps nothing else from it. Raises OSError."""
    free = (f".removed-{number}" for number in itertools.count())
    for _ in range(ROUNDS):
        before = _names(top)
        if not before:
            return
        _flatten(before, top, free)
    raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))


def _flatten(names: list[str], top: int, free: Iterator[str]) -> None:
    """Delete `names` from `top`, and all that is in them, one after the other."""
    trouble: OSError | None = None
    while names:
        try:
            _reduce(names.pop(), top, free, names)
        except FileNotFoundError:
            continue
        except OSError as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble


def _reduce(name: str, top: int, free: Iterator[str], moved: list[str]) -> None:
    """Delete `name` from `top`; what the folders in it are called in `top` now, goes into `moved`."""
    if not is_folder(name, top):
        os.unlink(name, dir_fd=top)
        return
    with _opened(name, top) as folder:
        if os.fstat(folder).st_dev != os.fstat(top).st_dev:
            raise OSError(errno.EXDEV, "is another file system", name)
        for each in _names(folder):
            with suppress(FileNotFoundError):
                if is_folder(each, folder):
                    moved.append(_moved(each, folder, top, free))
                else:
                    os.unlink(each, dir_fd=folder)
    with suppress(_NotEmpty):
        _rmdir(name, top)


def _moved(name: str, folder: int, top: int, free: Iterator[str]) -> str:
    while True:
        new = next(free)
        try:
            os.rename(name, new, src_dir_fd=folder, dst_dir_fd=top)
            return new
        except PermissionError:
            if not allow_us(name, folder):  # to move a folder, it has to be writable itself
                raise
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):  # the name is taken
                raise


class _NotEmpty(Exception):
    """Somebody has added to it: it is emptied again in the next round."""


def _rmdir(name: str, folder: int) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise _NotEmpty from None
        raise


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


@contextmanager
def _opened(name: str, folder: int) -> Iterator[int]:
    """A handle of a folder that is to be emptied: its owner is allowed that first."""
    try:
        handle = os.open(name, FOLDER, dir_fd=folder)
    except PermissionError:
        if not allow_us(name, folder):
            raise
        handle = os.open(name, FOLDER, dir_fd=folder)
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        if mode & OURS != OURS:
            with suppress(PermissionError):
                os.fchmod(handle, mode | OURS)
        yield handle
    finally:
        os.close(handle)


def allow_us(name: str, folder: int) -> bool:
    """Allow its owner everything in a folder that may be closed to him; returns whether that was missing."""
    # By a handle that needs no permission, for there is no change of mode that follows no link.
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        if mode & OURS == OURS:
            return False
        Path(f"/proc/self/fd/{handle}").chmod(mode | OURS)
        return True
    finally:
        os.close(handle)
