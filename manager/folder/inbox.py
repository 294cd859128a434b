"""Requests for further tasks, dropped into a job's inbox by its own tasks or from outside -> facts.

Everything in an inbox is hostile: links are not followed, only regular files are read, nothing blocks, and
sizes and counts are bounded before anything is read.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.format import names
from air_executor.format.documents import parse_json, validate
from air_executor.format.layout import CLOSED, INBOX, NEW
from air_executor.format.models import TaskSpec
from air_executor.untrusted import NotRegular, TooLarge, opened, opened_file, whole
from manager.model.facts import RequestRefused, TaskRequested
from manager.model.values import AttemptKey

MAX_REQUEST_BYTES = 256 * 1024
NOT_A_FILE = "is not a regular file with one name"
MAX_AT_ONCE = 1000
"""Requests that are read in one go; the next go takes the rest."""
MAX_GOES = 10
"""As many as these goes take are read at the end of a command; what is left then, nobody reads."""


Asked = TaskRequested | RequestRefused
"""What a file in an inbox says, or why it says nothing."""


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

    @property
    def new(self) -> Path:
        """The folder that requests are put into."""
        return self._path.joinpath(*self._below, NEW)

    def drain(self, uid: str, at: datetime) -> list[Asked]:
        """The requests in it, oldest first.

        Their files stay until `forget`, so the same request may come twice: that does no harm.
        """
        return self._drain(NEW, uid, at, MAX_AT_ONCE)

    def drain_all(self, uid: str, at: datetime) -> list[Asked]:
        """As `drain`, when nothing more will come: also what is read in several goes else."""
        return self._drain(NEW, uid, at, MAX_GOES * MAX_AT_ONCE)

    def drain_closed(self, uid: str, at: datetime) -> list[Asked]:
        """The requests that were in it when it was closed, in the same way."""
        return self._drain(CLOSED, uid, at, MAX_AT_ONCE)

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

    def _drain(self, folder: str, uid: str, at: datetime, most: int) -> list[Asked]:
        try:
            with self._opened(folder) as inbox:
                return [_read(inbox, name, uid, at) for name in _oldest(inbox, most)]
        except OSError:  # no inbox yet, or the task has put something else in its place
            return []


def _oldest(inbox: int, most: int) -> list[str]:
    found: list[tuple[int, str]] = []
    with os.scandir(inbox) as entries:
        for entry in entries:
            with suppress(OSError):
                found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
            if len(found) >= MAX_GOES * MAX_AT_ONCE:
                break
    return [name for _, name in sorted(found)[:most]]


def _read(inbox: int, file: str, uid: str, at: datetime) -> Asked:
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


class Inboxes:
    """The inboxes of the containers whose commands run. Safe to use from several threads."""

    def __init__(self) -> None:
        self._inboxes: dict[AttemptKey, Inbox] = {}

    def add(self, key: AttemptKey, inbox: Path) -> None:
        """The attempt's command runs, and puts its requests there."""
        self._inboxes[key] = Inbox(inbox)

    def remove(self, key: AttemptKey) -> None:
        """The attempt is over."""
        self._inboxes.pop(key, None)

    def all(self) -> list[Inbox]:
        """Those of all attempts."""
        return list(self._inboxes.values())

    def drain(self, at: datetime) -> Iterator[Asked]:
        """The requests in all of them."""
        for key, inbox in list(self._inboxes.items()):
            for fact in inbox.drain(key.uid, at):
                yield replace(fact, parent=key)


def left_by(key: AttemptKey, inbox: Path, job: Path, at: datetime) -> Iterator[Asked]:
    """The requests that the attempt has left in its `inbox`, now that its command has ended.

    A container that an older manager made had that in the job's folder, as everybody who asks from outside.
    """
    for fact in Inbox(inbox).drain_all(key.uid, at):
        yield replace(fact, parent=key)
    yield from Inbox.of_job(job).drain(key.uid, at)
