"""How files get to the disk, whole or not at all; and what tells one version of a file from another."""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from air_executor.failpoints import Failpoint, reach

FILE_MODE = 0o640
FOLDER_MODE = 0o750
"""What is ours is read by its owner and its group, and by nobody else on this machine."""


class Readers(NamedTuple):
    """Whom a file belongs to: its owner, and the group that may read it."""

    uid: int
    gid: int

    @classmethod
    def of(cls, handle: int) -> Self:
        """Those of a folder, for what is made in it."""
        status = os.fstat(handle)
        return cls(status.st_uid, status.st_gid)


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one version of a file from another: two that are equal are the same file, unchanged."""

    inode: int
    modified_ns: int
    size: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """The version whose status this is."""
        return cls(status.st_ino, status.st_mtime_ns, status.st_size)


def version_of(path: str | Path, folder: int | None = None) -> Version | None:
    """The version of `path`, a name in `folder` where one is given; None where none can be found.

    In a `folder` no link is followed: its own version is told.
    """
    try:
        return Version.of(os.stat(path, dir_fd=folder, follow_symlinks=folder is None))
    except OSError:
        return None


@contextmanager
def folder_of(path: Path) -> Iterator[int]:
    """A handle of a folder whose path the operator has chosen: a link there is followed."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def open_to(handle: int, readers: Readers) -> None:
    """Have `readers` read what was just made, whatever the umask says; who is not root gives what he may."""
    status = os.fstat(handle)
    if (status.st_uid, status.st_gid) != readers:
        try:
            os.fchown(handle, *readers)
        except PermissionError:
            with suppress(PermissionError):
                os.fchown(handle, -1, readers.gid)
    if stat.S_ISDIR(status.st_mode):
        os.fchmod(handle, FOLDER_MODE | status.st_mode & stat.S_ISGID)
    else:
        os.fchmod(handle, FILE_MODE)


Create = Callable[[str, int], BinaryIO]
"""Makes the file of that name in that folder, for writing bytes; it is there for nobody else yet."""


def create_exclusively(name: str | Path, folder: int | None = None) -> BinaryIO:
    """Open a new file for writing bytes; never follows a link, never opens what is there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb")


def write_durably(
    path: str | Path, text: str, folder: int | None = None, create: Create = create_exclusively
) -> os.stat_result:
    """Replace the file `path`, a name in `folder` where one is given: a reader finds the old or the new.

    Also after a power cut. It is for the readers of its folder. Returns its status before anybody saw it.
    `create` makes the file that takes its place; what that has in it is written over.
    """
    with _place(path, folder) as (name, place):
        temporary = f".{name}.{secrets.token_hex(6)}"
        try:
            with create(temporary, place) as file:
                file.write(text.encode())
                file.flush()
                file.truncate()
                open_to(file.fileno(), Readers.of(place))
                reach(Failpoint.VIEW_UNSYNCED)
                os.fsync(file.fileno())
                status = os.fstat(file.fileno())
            reach(Failpoint.VIEW_UNNAMED)
            os.rename(temporary, name, src_dir_fd=place, dst_dir_fd=place)
            reach(Failpoint.VIEW_RENAMED)
        except BaseException:
            _remove(temporary, place)
            raise
        os.fsync(place)
        return status


def write_whole(path: Path, text: str, readers: Readers, create: Create = create_exclusively) -> None:
    """Replace the file `path`, for `readers`: they find the old or the new; a power cut may lose both."""
    with _place(path, None) as (name, place):
        temporary = f".{name}.{secrets.token_hex(6)}"
        try:
            with create(temporary, place) as file:
                file.write(text.encode())
                file.truncate()
                open_to(file.fileno(), readers)
            os.rename(temporary, name, src_dir_fd=place, dst_dir_fd=place)
        except BaseException:
            _remove(temporary, place)
            raise


def make_folder(name: str, folder: int) -> None:
    """Make the folder `name` in `folder`, for the same readers. Raises FileExistsError."""
    os.mkdir(name, 0o700, dir_fd=folder)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(name, flags, dir_fd=folder)
    try:
        if os.fstat(handle).st_uid == os.geteuid():  # else somebody has put another one in its place
            open_to(handle, Readers.of(folder))
    finally:
        os.close(handle)


def touch(name: str, folder: int) -> None:
    """Make the empty file `name` in `folder`, or have it look new where it is there. Follows no link.

    Raises FileExistsError where something else than a regular file has that name.
    """
    try:
        with create_exclusively(name, folder) as file:
            open_to(file.fileno(), Readers.of(folder))
    except FileExistsError:
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise FileExistsError(errno.EEXIST, "is there, and is not a regular file", name) from None
        with suppress(PermissionError):  # somebody else has asked before
            os.utime(name, dir_fd=folder, follow_symlinks=False)


def sync_folder(path: Path) -> None:
    """Make renames in `path` durable."""
    with folder_of(path) as handle:
        os.fsync(handle)


@contextmanager
def _place(path: str | Path, folder: int | None) -> Iterator[tuple[str, int]]:
    """A name, and the folder that it is in."""
    if folder is not None:
        yield str(path), folder
        return
    path = Path(path)
    with folder_of(path.parent) as parent:
        yield path.name, parent


def _remove(name: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
