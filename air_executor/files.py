"""How files get to the disk, whole or not at all; and what tells one version of a file from another."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from air_executor.failpoints import Failpoint, reach


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


def version_of(path: Path) -> Version | None:
    """The version of the file `path` that is there now; None where none can be found."""
    try:
        return Version.of(path.stat())
    except OSError:
        return None


def create_exclusively(path: Path) -> BinaryIO:
    """Open a new file for writing bytes; never follows a link, never opens what is there."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb")


def write_durably(path: Path, text: str) -> os.stat_result:
    """Replace `path` by `text`, so that a reader finds the old or the new, also after a power cut.

    Returns what the new file's status was before anybody else could see it.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with create_exclusively(temporary) as file:
            file.write(text.encode())
            file.flush()
            reach(Failpoint.VIEW_UNSYNCED)
            os.fsync(file.fileno())
            status = os.fstat(file.fileno())
        reach(Failpoint.VIEW_UNNAMED)
        temporary.rename(path)
        reach(Failpoint.VIEW_RENAMED)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return status


def write_whole(path: Path, text: str) -> None:
    """Replace `path` by `text`, so that a reader finds the old or the new; a power cut may lose both."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with create_exclusively(temporary) as file:
            file.write(text.encode())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(path: Path) -> None:
    """Make renames in `path` durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
