"""A job's own folders, as the manager makes and reads them.

The job's folder belongs to whoever submitted the job, `work/` and `inbox/` to the task: nothing in them is
trusted. Everything below the job's folder is opened through folder handles, and no link is followed.
"""

import errno
import os
import shutil
import stat
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.failpoints import Failpoint, reach
from air_executor.untrusted import FOLDER, opened
from manager.model.values import Owner

FULL = (errno.ENOSPC, errno.EDQUOT)
SHORT_OF = (*FULL, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
"""Errors that are no fault of the job's, and may pass."""
CUT = b"\n[air-executor: the output was cut here, at %d bytes; the limit is the setting log_mb]\n"


def prepare(job: Path, user: Owner) -> None:
    """Make what a container mounts, and give it to the task's user where this process may.

    Raises BadInput when something else stands in its place; OSError while the machine is short of something.
    """
    try:
        with opened(job) as folder:
            _make(folder, "logs")
            for name in ("work", "inbox"):
                _make(folder, name)
                _give(folder, name, user)
        with opened(job, "inbox") as inbox:
            for name in ("tmp", "new"):
                _make(inbox, name)
                _give(inbox, name, user)
    except OSError as error:
        if error.errno in SHORT_OF:
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
    """Delete a folder that a task may have written to, as far as that can be done, however deep it is."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:  # Python 3.11 deletes folders in folders so
        subprocess.run(["rm", "-rf", "--", folder], check=False, capture_output=True)


def clear(job: Path) -> None:
    """Delete what the job's tasks have written. Links are deleted and not followed. Raises OSError."""
    with opened(job) as folder:
        for name in ("logs", "work", "inbox"):
            try:
                is_folder = stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
            except FileNotFoundError:
                continue
            if is_folder:
                shutil.rmtree(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)


def owner_of(job: Path) -> Owner:
    """Whose folder it is. Raises OSError when it is gone or a link."""
    status = job.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(job)
    return Owner(status.st_uid, status.st_gid)


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
        self._name = f"{task}.log"
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_APPEND
        try:
            with opened(self._job, "logs") as logs:
                handle = os.open(self._name, flags, 0o644, dir_fd=logs)
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                os.close(handle)
                raise OSError(errno.EINVAL, "is not a regular file", self._name)
            self._handle, self._written = handle, status.st_size
        except OSError as error:
            self.problem = error

    @property
    def lacks_space(self) -> bool:
        """Whether output is missing only because the disk is full: it can be had again later."""
        return self.problem is not None and self.problem.errno in FULL

    def restart(self) -> None:
        """The output comes from its beginning again."""
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
        """Somebody else writes from now on: whoever opens the log after this finds it as it stays."""
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
    """Put the log of an earlier attempt beside the one that comes: `<task>.log.<attempt>`.

    No task can have such a log of its own. A log that is there before the first attempt came with a folder
    that was copied; it is put beside as `<task>.log.0`.
    """
    with opened(job, "logs") as logs, suppress(FileNotFoundError):
        os.rename(f"{task}.log", f"{task}.log.{attempt}", src_dir_fd=logs, dst_dir_fd=logs)
