"""Requests for further tasks, dropped into a job's inbox by its own tasks or from outside -> facts.

Everything in an inbox is hostile: links are not followed, only regular files are read, nothing blocks, and
sizes and counts are bounded before anything is read. What has been told is not read again, no more is told
before that has gone, and who keeps an inbox busy is looked at less often.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.format import names
from air_executor.format.documents import parse_json, validate
from air_executor.format.layout import CLOSED, INBOX, NEW, REFUSED
from air_executor.format.limits import MAX_REQUEST_BYTES, Bounds
from air_executor.format.models import TaskSpec
from air_executor.untrusted import NotRegular, TooLarge, opened, opened_file, whole
from manager.folder import removal
from manager.folder.allowance import Allowance
from manager.model.facts import RequestRefused, TaskRequested
from manager.model.values import AttemptKey

NOT_A_FILE = "is not a regular file with one name"
MAX_AT_ONCE = 100
"""Requests that are read in one go, and that may have been told of and still be there."""
MAX_LISTED = 1000
"""Files that are looked at in one go."""
MAX_LEFT = 10_000
LEFT_SECONDS = 5.0
"""Requests that are read when a command has ended, and for how long; of more, the rest is not."""
SHARE, SAVED = 0.2, 1.0
"""Of a processor's time, what the inboxes of one job may take; and seconds of it that they may save up."""
BOUNDS = Bounds(MAX_REQUEST_BYTES)
EVENT_COST = 0.01
"""Seconds that an event in it counts for: all that are live are looked at then."""

Stamp = tuple[int, int]
"""Tells one file from another that has its name: inode and time of change."""
Asked = TaskRequested | RequestRefused
"""What a file in an inbox says, or why it says nothing."""


class Inbox:
    """One inbox: where requests are put. It has `new` while it takes any, and `closed` when it takes none.

    For one thread. What has been told, it remembers, so who looks often keeps it; for all else any will do.
    """

    def __init__(
        self,
        path: Path,
        *below: str,
        clock: Callable[[], float] = time.monotonic,
        beside: "Inbox | None" = None,
    ) -> None:
        """The folder `below` the folder `path`; no part of `below`, nor the last of `path`, may be a link.

        With the one `beside` it, of the same job, it shares what time they may take.
        """
        self._path = path
        self._below = below
        self._clock = clock
        self._allowance: Allowance = Allowance(SHARE, SAVED, clock) if beside is None else beside._allowance
        self._told: dict[str, Stamp] = {}
        """What has been told and was still there when it was last looked at."""

    @classmethod
    def of_job(cls, job: Path) -> "Inbox":
        """That in a job's folder, for requests from outside."""
        return cls(job, INBOX)

    @property
    def new(self) -> Path:
        """The folder that requests are put into while it takes any."""
        return self._path.joinpath(*self._below, NEW)

    @property
    def rest(self) -> float:
        """Seconds for which it is not looked at, because it took too much time; not positive where it is."""
        return self._allowance.rest

    def disturb(self) -> None:
        """Something happened in it."""
        self._allowance.spend(EVENT_COST)

    def drain(self, uid: str, at: datetime) -> list[Asked]:
        """The requests in it that have not been told, oldest first; none while it rests.

        Their files stay until `forget`, so another inbox object tells the same requests: that does no harm.
        """
        return [] if self.rest > 0 else self._drain(NEW, uid, at)

    def drain_left(self, uid: str, at: datetime) -> Iterator[Asked]:
        """All requests in it, when nothing more will come; with pauses, so that others have time as well.

        But not for ever: meanwhile the end of the command is not told.
        """
        deadline = self._clock() + LEFT_SECONDS
        try:
            with self._opened(NEW) as inbox:
                there = _listed(inbox, MAX_LEFT + 1)
                for _, name in sorted((stamp[1], name) for name, stamp in there.items())[:MAX_LEFT]:
                    if self._clock() > deadline:
                        break
                    began = self._clock()
                    yield self._read(inbox, name, uid, at)
                    self._allowance.spend(self._clock() - began)
                    time.sleep(max(0.0, self.rest))
        except OSError:  # the task has put something else in its place
            return
        if len(there) > MAX_LEFT or self._clock() > deadline:
            reason = f"the inbox has too many requests ({len(there)} or more): the rest is not read"
            yield RequestRefused(uid=uid, request="the rest", reason=reason, at=at)

    def drain_closed(self, uid: str, at: datetime) -> list[Asked]:
        """The requests that were in it when it was closed, in the same way."""
        return self._drain(CLOSED, uid, at)

    def forget(self, requests: list[str]) -> None:
        """The requests are in the journal: their files may go."""
        for folder in (NEW, CLOSED):
            with suppress(OSError), self._opened(folder) as inbox:
                for request in requests:
                    self._discard(inbox, request)

    def close(self) -> None:
        """Rename `new` away, so that whoever drops a request later learns that the job has ended."""
        self._move(NEW, CLOSED)

    def empty_closed(self) -> None:
        """Delete what was left in it when the job ended: it must not come up when the job is retried."""
        for folder in (CLOSED, REFUSED):
            with suppress(OSError), self._opened() as inbox:
                removal.remove(folder, inbox)

    def reopen(self) -> None:
        """Take requests again: something was in it after all, and the job goes on."""
        self._move(CLOSED, NEW)

    def _opened(self, *below: str) -> AbstractContextManager[int]:
        return opened(self._path, *self._below, *below)

    def _move(self, source: str, target: str) -> None:
        with suppress(OSError), self._opened() as inbox:
            os.rename(source, target, src_dir_fd=inbox, dst_dir_fd=inbox)

    def _drain(self, folder: str, uid: str, at: datetime) -> list[Asked]:
        began = self._clock()
        try:
            with self._opened(folder) as inbox:
                return [self._read(inbox, name, uid, at) for name in self._fresh(inbox)]
        except OSError:  # no inbox yet, or the task has put something else in its place
            return []
        finally:
            self._allowance.spend(self._clock() - began)

    def _fresh(self, inbox: int) -> list[str]:
        """Those that are to be told, oldest first."""
        there = _listed(inbox, MAX_LISTED)
        self._told = {name: stamp for name, stamp in self._told.items() if there.get(name) == stamp}
        fresh = sorted((stamp[1], name) for name, stamp in there.items() if name not in self._told)
        chosen = [name for _, name in fresh[: max(0, MAX_AT_ONCE - len(self._told))]]
        self._told |= {name: there[name] for name in chosen}
        return chosen

    def _read(self, inbox: int, file: str, uid: str, at: datetime) -> Asked:
        """A request's id is its file's name."""
        if not names.is_name(file):
            self._discard(inbox, file)
            return RequestRefused(
                uid=uid, request=ascii(file)[1:-1][:255], reason=f"the file's name {names.RULE}", at=at
            )
        try:
            spec = validate(TaskSpec, parse_json(_content(inbox, file), BOUNDS))
        except BadInput as error:
            return RequestRefused(uid=uid, request=file, reason=str(error), at=at)
        return TaskRequested(uid=uid, request=file, spec=spec, at=at)

    def _discard(self, folder: int, file: str) -> None:
        """Delete it; or put it away, where it is a folder with something in it."""
        try:
            os.unlink(file, dir_fd=folder)
        except IsADirectoryError:
            try:
                os.rmdir(file, dir_fd=folder)
            except OSError:
                self._put_away(folder, file)
        except OSError:
            pass  # it is gone, or stays; and is not told again

    def _put_away(self, folder: int, file: str) -> None:
        with suppress(OSError), self._opened() as inbox:
            with suppress(FileExistsError):
                os.mkdir(REFUSED, 0o700, dir_fd=inbox)
            with opened(REFUSED, folder=inbox) as refused:
                name = str(os.stat(file, dir_fd=folder, follow_symlinks=False).st_ino)
                os.rename(file, name, src_dir_fd=folder, dst_dir_fd=refused)


def _listed(inbox: int, most: int) -> dict[str, Stamp]:
    found: dict[str, Stamp] = {}
    with os.scandir(inbox) as entries:
        for entry in islice(entries, most):
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                found[entry.name] = (status.st_ino, status.st_mtime_ns)
    return found


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


class Inboxes:
    """The inboxes of the containers whose commands run. Safe to use from several threads."""

    def __init__(self) -> None:
        self._inboxes: dict[AttemptKey, Inbox] = {}

    def add(self, key: AttemptKey, inbox: Path) -> None:
        """The attempt's command runs, and puts its requests there."""
        beside = (each for other, each in list(self._inboxes.items()) if other.uid == key.uid)
        self._inboxes[key] = Inbox(inbox, beside=next(beside, None))

    def remove(self, key: AttemptKey) -> None:
        """The attempt is over."""
        self._inboxes.pop(key, None)

    def all(self) -> list[Inbox]:
        """Those of all attempts."""
        return list(self._inboxes.values())

    def drain(self, at: datetime) -> Iterator[Asked]:
        """The requests in all of them that have not been told."""
        for key, inbox in list(self._inboxes.items()):
            for fact in inbox.drain(key.uid, at):
                yield replace(fact, parent=key)


def left_by(key: AttemptKey, inbox: Path, job: Path, at: datetime) -> Iterator[Asked]:
    """The requests that the attempt has left in its `inbox`, now that its command has ended.

    A container that an older manager made had that in the job's folder, as everybody who asks from outside.
    """
    if not inbox.exists():
        yield from Inbox.of_job(job).drain(key.uid, at)
    for fact in Inbox(inbox).drain_left(key.uid, at):
        yield replace(fact, parent=key)


def are_many_left(inbox: Path) -> bool:
    """Whether a command has left so many requests that it takes a while to read them."""
    with suppress(OSError), opened(inbox, NEW) as new:
        return len(_listed(new, MAX_AT_ONCE + 1)) > MAX_AT_ONCE
    return False
