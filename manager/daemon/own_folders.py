"""The folders in the home that are the manager's alone: what lies there, nobody else can exchange.

Containers mount what lies below them, and the record is there. So whoever could rename one of them would
decide what a container of the engine sees of this machine, and what has happened.
"""

import errno
import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

from air_executor.errors import AirExecutorError
from air_executor.untrusted import opened

log = logging.getLogger(__name__)

OWN = {"journal": 0o700, "gates": 0o700, "accounts": 0o700, "work": 0o711}
"""With their modes. Through `work` others reach the work folders that they may see, by name."""
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class NotOwn(AirExecutorError):
    """Somebody else could exchange what the manager relies on."""


def secure(home: Path) -> None:
    """Have them there, as the manager's. Raises NotOwn where others could exchange them; OSError."""
    with opened(home.resolve()) as folder:
        _close_to_others(folder, home)
        for name, mode in OWN.items():
            _have(folder, name, mode, home / name)


def _have(home: int, name: str, mode: int, path: Path) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=home)
    try:
        with opened(name, folder=home) as folder:
            owner = os.fstat(folder).st_uid
            if owner not in (os.geteuid(), os.fstat(home).st_uid):  # who has the home can exchange anything
                raise NotOwn(f"{path} belongs to user {owner}: it must be the manager's, user {os.geteuid()}")
            os.fchmod(folder, mode)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise NotOwn(f"{path} is no folder, or a link: take it away; the manager makes its own") from None


def _close_to_others(folder: int, home: Path) -> None:
    status = os.fstat(folder)
    if not status.st_mode & WRITABLE_BY_OTHERS:
        return
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        raise NotOwn(
            f"others can write to {home} (mode {stat.S_IMODE(status.st_mode):o}), and so exchange what "
            f"containers mount: chmod go-w {home}"
        )
    os.fchmod(folder, stat.S_IMODE(status.st_mode) & ~WRITABLE_BY_OTHERS)
    log.warning("%s could be written to by others, and can't any more: job writers need only its jobs", home)
