"""A task's log, `logs/<task>.log` in its job's folder."""

import errno
import os
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path

from air_executor.failpoints import Failpoint, reach
from air_executor.files import Readers, open_to
from air_executor.format import layout
from air_executor.logs import letter_at
from air_executor.untrusted import opened
from manager.folder.trouble import DISK_FULL

LAST = 8 << 20
"""Bytes at most that are kept of the end of a long output: they are in memory for a moment."""
WHOLE_LINE = 64 << 10
"""Bytes in which a line has to begin, for what is kept of the end to begin with it."""
REST_OF_A_LETTER = 3
"""Bytes at most, in UTF-8."""

CUT = (
    b"\n[air-executor: more output than the setting log_mb keeps; these were its first %d bytes, "
    b"its last ones follow when the task has ended]\n"
)
GONE = b"[air-executor: %d bytes (%d lines) are missing here]\n"
AT_LEAST = b"[air-executor: at least %d bytes are missing here; some the engine no longer had]\n"
UNSURE = b"\n[air-executor: some of this output may be missing: the engine no longer had all of it]\n"


class Enough(Exception):
    """The log has the first part of the output, and wants the last one when the command has ended."""


class LogFile:
    """A task's log, at most `limit` bytes of its output: all, or the first part and the last one.

    The engine gives a container's output from its beginning each time it is followed. What is in the file
    already is passed over, so that a manager which comes back goes on where the last one stopped.

    The first part is written as it comes; from the rest on nothing is, until it is known whether all fits.
    Where it does not, the file says so at once, nothing more is read, however much a task writes, and the
    engine is asked for the last part when the command has ended. So a file only grows, but for one that a
    manager left in the middle of its last part, which the next one writes anew.
    """

    def __init__(self, job: Path, task: str, limit: int) -> None:
        self.problem: OSError | None = None
        self.given_up = False
        self._handle: int | None = None
        self._room = min(limit // 4, LAST)
        self._first = limit - self._room
        self._head: int | None = None
        """Length of the first part, as soon as something follows it."""
        self._end = _End(self._room)
        self._written = 0
        self._position = 0
        self._most = 0
        """Bytes of output that were seen."""
        self._shifted = False
        self._ended = False
        self._touched = time.monotonic()
        self._lock = threading.Lock()
        self._job = job
        self._name = layout.log_name(task)
        self._open()

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_APPEND
        try:
            with opened(self._job) as job, opened(layout.LOGS, folder=job) as logs:
                handle = os.open(self._name, flags, 0o600, dir_fd=logs)
                status = os.fstat(handle)
                if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                    os.close(handle)
                    raise OSError(errno.EINVAL, "is not a regular file with one name", self._name)
                open_to(handle, Readers.of(job))
            self._handle, self._written = handle, status.st_size
        except OSError as error:
            self.problem = error

    @property
    def lacks_space(self) -> bool:
        """Whether output is missing only because the disk is full: it can be had again later."""
        return self.problem is not None and self.problem.errno in DISK_FULL

    def restart(self) -> None:
        """Called when the engine gives the output from its beginning again."""
        self._position = 0
        self._end = _End(self._room)
        self._touched = time.monotonic()
        if self.lacks_space:
            self.problem = None
            if self._handle is None:
                self._open()

    @property
    def idle(self) -> float:
        """Seconds without output, or another sign of life."""
        return time.monotonic() - self._touched

    @property
    def has_ended(self) -> bool:
        """Whether it is only read again because some of it is missing."""
        return self._ended

    def touch(self) -> None:
        """Somebody is at work for the task, now that its output has ended."""
        self._touched = time.monotonic()

    def give_up(self) -> None:
        """Write no more, whatever still comes: from now on another LogFile writes this log."""
        with self._lock:
            self.given_up = True

    def write(self, chunk: bytes) -> None:
        """Add output. Where that fails, the rest is missing and `problem` says why; the task goes on.

        Raises Enough.
        """
        with self._lock:
            self._touched = time.monotonic()
            begin = self._position
            self._position += len(chunk)
            self._most = max(self._most, self._position)
            if self.given_up or self._handle is None or self.problem is not None:
                return
            try:
                self._add(begin, chunk)
            except OSError as error:
                self.problem = error

    def end(self, whole: bool) -> bool:
        """The command has ended, and was followed to its end; `whole`: from its beginning, for sure.

        Whether the log is as it should be. If not, the output has to be given once more.
        """
        with self._lock:
            again = not whole and not self._ended
            self._ended = True
            if self.given_up:
                return True
            if self.problem is not None or self._handle is None:
                return not self.lacks_space
            if self._position == self._most < self._written and self._head is None and not whole:
                self._shift()
                again = True
            if again:
                return False
            try:
                self._add_end(whole)
            except OSError as error:
                self.problem = error
            return not self.lacks_space

    def _add(self, begin: int, chunk: bytes) -> None:
        count = self._of_the_head(begin, chunk)
        if not self._is_known(begin, chunk[:count]):
            self._shift()
            count = 0
        if fresh := chunk[max(0, self._written - begin) : count]:
            self._put(fresh)
            reach(Failpoint.OUTPUT_COPIED)
        if count < len(chunk):
            self._end.add(chunk[count:])
            if not self._ended and (self._shifted or self._end.total > self._room):
                self._cut()

    def _of_the_head(self, begin: int, chunk: bytes) -> int:
        """How many bytes of `chunk` belong to the first part, which does not end within a letter."""
        if self._shifted:
            return 0
        if self._head is not None:
            return max(0, min(len(chunk), self._head - begin))
        count = self._first - begin
        if count > len(chunk):
            return len(chunk)
        count = letter_at(chunk, max(0, count), REST_OF_A_LETTER + min(0, count))
        if count < len(chunk):
            self._head = begin + count
        return count

    def _is_known(self, begin: int, data: bytes) -> bool:
        """Whether the file has the same, as far as it has anything there."""
        known = data[: max(0, self._written - begin)]
        return not known or self._handle is None or os.pread(self._handle, len(known), begin) == known

    def _shift(self) -> None:
        """The engine no longer has the beginning: where its output and what is here meet, can't be told."""
        self._shifted = True
        self._head = min(self._written, self._first)
        if self._handle is not None:
            self._head += letter_at(os.pread(self._handle, REST_OF_A_LETTER, self._head), 0)

    def _cut(self) -> None:
        self._go_back()
        self._put(CUT % (self._head or 0))
        self._end = _End(self._room)  # it is read again at the end, and kept for a moment only
        raise Enough

    def _add_end(self, whole: bool) -> None:
        """What follows the first part; without a word where all of it is there."""
        last = self._end.take()
        if self._end.gone or self._shifted or (self._head is not None and self._position < self._head):
            self._go_back()
            self._put(CUT % (self._head or 0) + self._gap(whole, len(last)) + last)
            return
        if last:
            self._go_back()
            self._put(last)
        if not whole and self._position < self._most:
            self._put(UNSURE)

    def _gap(self, whole: bool, last: int) -> bytes:
        if whole:
            return GONE % (self._end.gone, self._end.gone_lines)
        return AT_LEAST % max(self._end.gone, self._most - (self._head or 0) - last)

    def _go_back(self) -> None:
        """To the end of the first part: what is behind it, a manager has left in the middle."""
        if self._handle is not None and self._head is not None and self._written > self._head:
            os.ftruncate(self._handle, self._head)
            self._written = self._head

    def _put(self, data: bytes) -> None:
        while data and self._handle is not None:
            count = os.write(self._handle, data)
            self._written += count
            data = data[count:]

    def close(self) -> None:
        """Make the log durable."""
        self._end = _End(self._room)
        if self._handle is None:
            return
        with suppress(OSError):
            os.fsync(self._handle)
        os.close(self._handle)


class _End:
    """The last `room` bytes of what is added, and how much went before."""

    def __init__(self, room: int) -> None:
        self.gone = self.gone_lines = 0
        self._room = room
        self._kept = bytearray()

    @property
    def total(self) -> int:
        """Bytes that were added."""
        return self.gone + len(self._kept)

    def add(self, data: bytes) -> None:
        """Let go what is too old, now and then."""
        self._kept += data
        if len(self._kept) > 2 * self._room:
            self._let_go(len(self._kept) - self._room)

    def take(self) -> bytes:
        """What is left, from the beginning of a line where that is near, else of a letter."""
        self._let_go(max(0, len(self._kept) - self._room))
        if self.gone:
            line = self._kept.find(b"\n", 0, min(WHOLE_LINE, self._room // 2)) + 1
            self._let_go(line or letter_at(self._kept, 0, REST_OF_A_LETTER))
        return bytes(self._kept)

    def _let_go(self, count: int) -> None:
        self.gone += count
        self.gone_lines += self._kept.count(b"\n", 0, count)
        del self._kept[:count]


def keep_earlier_log(job: Path, task: str, attempt: int) -> None:
    """Rename the log of an earlier attempt to `<task>.log.<attempt>`, out of the way of the next one.

    No task can have such a log of its own. A log that is there before the first attempt came with a folder
    that was copied; it becomes `<task>.log.0`.
    """
    names = layout.log_name(task), layout.earlier_log_name(task, attempt)
    with opened(job, layout.LOGS) as logs, suppress(FileNotFoundError):
        os.rename(*names, src_dir_fd=logs, dst_dir_fd=logs)


def restore_earlier_log(job: Path, task: str, attempt: int) -> None:
    """Undo `keep_earlier_log`, where it was done: the next attempt never began."""
    earlier, latest = layout.earlier_log_name(task, attempt), layout.log_name(task)
    with suppress(FileNotFoundError), opened(job, layout.LOGS) as logs:
        try:
            os.stat(latest, dir_fd=logs, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(earlier, latest, src_dir_fd=logs, dst_dir_fd=logs)
