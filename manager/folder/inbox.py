"""Requests for further tasks, dropped into a job's inbox by its own tasks or from outside -> facts.

Everything in an inbox is hostile: links are not followed, only regular files are read, nothing blocks, and
sizes and counts are bounded before anything is read.
"""

import os
import shutil
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import datetime
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.format import names
from air_executor.format.documents import parse_json, validate
from air_executor.format.layout import CLOSED, INBOX, NEW
from air_executor.format.models import TaskSpec
from air_executor.untrusted import NotRegular, TooLarge, opened, opened_file, whole
from manager.model.facts import RequestRefused, TaskRequested

MAX_REQUEST_BYTES = 256 * 1024
NOT_A_FILE = "is not a regular file with one name"
MAX_AT_ONCE = 1000
"""Requests that are read in one go; the next go takes the rest."""


class Inbox:
    """One inbox: where requests are put. It has `new` while it takes any, and `closed` when it takes none."""

    def __init__(self, path: Path, *below: str) -> None:
        """The folder `below` the folder `path`; no part of `below`, nor the last of `path`, may be a link."""
        self._path = path
        self._below = below

    @classmethod
    def of_job(cls, job: Path) -> "Inbox":
        """That in a job's folder, for requests from outside."""
        return cls(job, INBOX)

    def drain(self, uid: str, at: datetime) -> list[TaskRequested | RequestRefused]:
        """The requests in it, oldest first.

        Their files stay until `forget`, so the same request may come twice: that does no harm.
        """
        return self._drain(NEW, uid, at)

    def drain_closed(self, uid: str, at: datetime) -> list[TaskRequested | RequestRefused]:
        """The requests that were in it when it was closed, in the same way."""
        return self._drain(CLOSED, uid, at)

    def forget(self, requests: list[str]) -> None:
        """The requests are in the journal: their files may go."""
        for folder in (NEW, CLOSED):
            with suppress(OSError), self._opened(folder) as inbox:
                for request in requests:
                    _discard(inbox, request)

    def close(self) -> None:
        """Rename `new` away, so that whoever drops a request later learns that the job has ended."""
        self._move(NEW, CLOSED)

    def empty_closed(self) -> None:
        """Delete what was left in it when the job ended: it must not come up when the job is retried."""
        with suppress(OSError), self._opened() as inbox:
            shutil.rmtree(CLOSED, dir_fd=inbox)

    def reopen(self) -> None:
        """Take requests again: something was in it after all, and the job goes on."""
        self._move(CLOSED, NEW)

    def _opened(self, *below: str) -> AbstractContextManager[int]:
        return opened(self._path, *self._below, *below)

    def _move(self, source: str, target: str) -> None:
        with suppress(OSError), self._opened() as inbox:
            os.rename(source, target, src_dir_fd=inbox, dst_dir_fd=inbox)

    def _drain(self, folder: str, uid: str, at: datetime) -> list[TaskRequested | RequestRefused]:
        try:
            with self._opened(folder) as inbox:
                return [_read(inbox, name, uid, at) for name in _oldest(inbox)]
        except OSError:  # no inbox yet, or the task has put something else in its place
            return []


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
    with ExitStack() as stack:
        try:
            request = stack.enter_context(opened_file(file, folder=inbox))
        except NotRegular:
            raise BadInput(NOT_A_FILE) from None
        except OSError as error:
            raise BadInput(f"can't be opened: {error.strerror}; a request is a regular file") from None
        if os.fstat(request).st_nlink != 1:
            raise BadInput(NOT_A_FILE)
        try:
            return whole(request, MAX_REQUEST_BYTES)
        except TooLarge:
            raise BadInput(f"is larger than {MAX_REQUEST_BYTES} bytes") from None


def _discard(inbox: int, file: str) -> None:
    try:
        os.unlink(file, dir_fd=inbox)
    except IsADirectoryError:
        with suppress(OSError):  # only an empty folder; anything else stays, and is refused once
            os.rmdir(file, dir_fd=inbox)
    except OSError:
        pass
