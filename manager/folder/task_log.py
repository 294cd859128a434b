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
from air_executor.untrusted import opened
from manager.folder.workspace import DISK_FULL

CUT = b"\n[air-executor: the output was cut here, at %d bytes; the limit is the setting log_mb]\n"


class LogFile:
    """A task's log, at most `limit` bytes of it; a cut is marked.

    The engine gives a container's output from its beginning each time it is followed. What is in the file
    already is passed over, so that a manager which comes back goes on where the last one stopped.
    """

    def __init__(self, job: Path, task: str, limit: int) -> None:
        self.problem: OSError | None = None
        self._handle: int | None = None
        self._limit = limit
        self._written = 0
        self._position = 0
        self.given_up = False
        self._touched = time.monotonic()
        self._lock = threading.Lock()
        self._job = job
        self._name = layout.log_name(task)
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_APPEND
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
        self._touched = time.monotonic()
        if self.lacks_space:
            self.problem = None
            if self._handle is None:
                self._open()

    @property
    def idle(self) -> float:
        """Seconds without output."""
        return time.monotonic() - self._touched

    def give_up(self) -> None:
        """Write no more, whatever still comes: from now on another LogFile writes this log."""
        with self._lock:
            self.given_up = True

    def write(self, chunk: bytes) -> None:
        """Add output. Where that fails, the rest is missing and `problem` says why; the task goes on."""
        with self._lock:
            if not self.given_up:
                self._add(chunk)

    def _add(self, chunk: bytes) -> None:
        self._touched = time.monotonic()
        begin = self._position
        self._position += len(chunk)
        fresh = chunk[max(0, self._written - begin) :]
        if not fresh or self._handle is None or self._written > self._limit:
            return
        if self.problem is not None:
            return
        room = self._limit - self._written
        try:
            self._put(fresh[:room])
            reach(Failpoint.OUTPUT_COPIED)
            if len(fresh) > room:
                self._put(CUT % self._limit)
        except OSError as error:
            self.problem = error

    def _put(self, data: bytes) -> None:
        while data and self._handle is not None:
            count = os.write(self._handle, data)
            self._written += count
            data = data[count:]

    def close(self) -> None:
        """Make the log durable."""
        if self._handle is None:
            return
        with suppress(OSError):
            os.fsync(self._handle)
        os.close(self._handle)


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
