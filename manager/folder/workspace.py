"""Makes, gives away and deletes the folders of a job: `work/`, `inbox/`, `logs/`.

The job's folder belongs to whoever submitted the job, `work/` and `inbox/` to the task: nothing in them is
trusted. Everything below the job's folder is opened through folder handles, and no link is followed.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.files import make_folder
from air_executor.format import layout
from air_executor.untrusted import FOLDER, opened
from manager.folder import removal
from manager.model.values import Owner

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
TRANSIENT = (*DISK_FULL, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
"""Errors of the machine, not of the job: the same may succeed later."""


def prepare(job: Path, user: Owner) -> None:
    """Make the folders that a container mounts, and give them to the task's user where this process may.

    Raises BadInput when something else stands in the place of one; OSError for a TRANSIENT error.
    """
    try:
        with opened(job) as folder:
            with suppress(FileExistsError):
                make_folder(layout.LOGS, folder)
            os.close(os.open(layout.LOGS, FOLDER, dir_fd=folder))  # raises where it is something else
            for name in (layout.WORK, layout.INBOX):
                _make(folder, name)
                _give(folder, name, user)
        with opened(job, layout.INBOX) as inbox:
            for name in (layout.TMP, layout.NEW):
                _make(inbox, name)
                _give(inbox, name, user)
    except OSError as error:
        if error.errno in TRANSIENT:
            raise
        raise BadInput(
            f"can't be prepared: {error.filename or ''} {error.strerror}; work, inbox and logs must be "
            "folders (or not there yet), and the manager must be allowed to write",
            where=job,
        ) from None


def _make(folder: int, name: str) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=folder)
    os.close(os.open(name, FOLDER, dir_fd=folder))  # raises where it is something else


def _give(folder: int, name: str, user: Owner) -> None:
    handle = os.open(name, FOLDER, dir_fd=folder)
    try:
        status = os.fstat(handle)
        if (status.st_uid, status.st_gid) != user and os.geteuid() == 0:
            os.fchown(handle, user.uid, user.gid)
    finally:
        os.close(handle)


def delete(folder: Path) -> None:
    """Delete a folder that a task may have written to, whatever is in it. What can't be deleted stays."""
    removal.delete(folder)


def clear(job: Path) -> None:
    """Delete what the job's tasks have written. Links are deleted and not followed. Raises OSError."""
    with opened(job) as folder:
        for name in (layout.LOGS, layout.WORK, layout.INBOX):
            removal.remove(name, folder)


def owner_of(job: Path) -> Owner:
    """The owner of the job's folder. Raises OSError when it is gone or a link."""
    status = job.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(job)
    return Owner(status.st_uid, status.st_gid)
