"""Requests for further tasks, dropped into a job's inbox by its own tasks or from outside -> facts.

Everything in an inbox is hostile: links are not followed, only regular files are read, nothing blocks, and
sizes and counts are bounded before anything is read.
"""

import os
import shutil
import stat
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.format import names
from air_executor.format.documents import parse_json, validate
from air_executor.format.models import TaskSpec
from air_executor.untrusted import opened
from manager.model.facts import RequestRefused, TaskRequested

MAX_REQUEST_BYTES = 256 * 1024
MAX_AT_ONCE = 1000
"""Requests that are read in one go; the next go takes the rest."""
CLOSED = "closed"


def drain(job: Path, uid: str, at: datetime, folder: str = "new") -> list[TaskRequested | RequestRefused]:
    """What is in the inbox, oldest first. The files stay until `forget`; what comes twice does no harm."""
    try:
        with opened(job, "inbox", folder) as inbox:
            return [_read(inbox, name, uid, at) for name in _oldest(inbox)]
    except OSError:  # no inbox yet, or the task has put something else in its place
        return []


def forget(job: Path, requests: list[str]) -> None:
    """The requests are in the journal: their files may go."""
    for folder in ("new", CLOSED):
        with suppress(OSError), opened(job, "inbox", folder) as inbox:
            for request in requests:
                _discard(inbox, request)


def close(job: Path) -> None:
    """Take the inbox away, so that who drops a request later learns that the job has ended."""
    _move(job, "new", CLOSED)


def empty_closed(job: Path) -> None:
    """What was refused when the job ended does not come up again when it is retried."""
    with suppress(OSError), opened(job, "inbox") as inbox:
        shutil.rmtree(CLOSED, dir_fd=inbox)


def reopen(job: Path) -> None:
    """Something was in the inbox after all: the job goes on."""
    _move(job, CLOSED, "new")


def _move(job: Path, source: str, target: str) -> None:
    with suppress(OSError), opened(job, "inbox") as inbox:
        os.rename(source, target, src_dir_fd=inbox, dst_dir_fd=inbox)


def _oldest(inbox: int) -> list[str]:
    found: list[tuple[int, str]] = []
    with os.scandir(inbox) as entries:
        for entry in entries:
            with suppress(OSError):
                found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
            if len(found) >= 10 * MAX_AT_ONCE:
                break
    return [name for _, name in sorted(found)[:MAX_AT_ONCE]]


def _read(inbox: int, file: str, uid: str, at: datetime) -> TaskRequested | RequestRefused:
    """A request's id is its file's name."""
    if not names.is_name(file):
        _discard(inbox, file)
        return RequestRefused(
            uid=uid, request=ascii(file)[1:-1][:255], reason=f"the file's name {names.RULE}", at=at
        )
    try:
        return TaskRequested(
            uid=uid, request=file, spec=validate(TaskSpec, parse_json(_content(inbox, file))), at=at
        )
    except BadInput as error:
        return RequestRefused(uid=uid, request=file, reason=str(error), at=at)


def _content(inbox: int, file: str) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(file, flags, dir_fd=inbox)
    except OSError as error:
        raise BadInput(f"can't be opened: {error.strerror}; a request is a regular file") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise BadInput("is not a regular file with one name")
        if status.st_size > MAX_REQUEST_BYTES:
            raise BadInput(f"is larger than {MAX_REQUEST_BYTES} bytes")
        return os.read(handle, MAX_REQUEST_BYTES)
    finally:
        os.close(handle)


def _discard(inbox: int, file: str) -> None:
    try:
        os.unlink(file, dir_fd=inbox)
    except IsADirectoryError:
        with suppress(OSError):  # only an empty folder; anything else stays, and is refused once
            os.rmdir(file, dir_fd=inbox)
    except OSError:
        pass
