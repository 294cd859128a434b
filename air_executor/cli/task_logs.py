"""Print and follow what tasks have written. Their output is hostile: a terminal gets it made harmless."""

import codecs
import sys
import time
from collections.abc import Callable
from functools import partial

from air_executor import logs
from air_executor.cli.problems import complain
from air_executor.client import Client
from air_executor.errors import AirExecutorError, JobNotFound
from air_executor.format.models import JobView, Task

LOOK_INTERVAL = 0.1
"""Seconds between two looks for a task that has begun."""


class NoSuchTask(AirExecutorError):
    """The job has no task of that id."""

    def __init__(self, view: JobView, task: str) -> None:
        ids = [known.id for known in view.tasks]
        shown = ", ".join(ids[:20]) + (f" and {len(ids) - 20} more" if len(ids) > 20 else "")
        super().__init__(f"job {view.name!r} has no task {task!r}; its tasks: {shown or 'none'}")


class Logs:
    """The logs of one job, for standard output."""

    def __init__(self, client: Client, job: str) -> None:
        self._store = client.store
        self._folder = client.store.existing(job)
        self._view = client.status(job)
        self._stamp = self._folder.stamp()
        self._output = _Output()

    def print_one(self, task: str) -> None:
        """What the task has written until now."""
        self._check(task)
        self._copy(task, lambda: True)

    def follow_one(self, task: str) -> None:
        """What the task writes, until it has ended."""
        self._check(task)
        self._copy(task, partial(self._ended, task))

    def print_all(self) -> None:
        """What the tasks have written until now, one after the other."""
        for task in self._begun():
            self._output.headline(task.id)
            self._copy(task.id, lambda: True)
        if not self._begun():
            complain(f"no task of job {self._view.name!r} has begun ({self._view.state.value})")

    def follow_all(self) -> None:
        """What the tasks write, one after the other as they began, until the job has ended."""
        shown: set[str] = set()
        while True:
            ended = self._latest().state.ended  # asked first: no task begins after it
            task = next((task.id for task in self._begun() if task.id not in shown), None)
            if task is not None:
                shown.add(task)
                self._output.headline(task)
                self._copy(task, partial(self._ended, task))
            elif ended:
                return
            else:
                time.sleep(LOOK_INTERVAL)

    def _begun(self) -> list[Task]:
        """The tasks that have a log, in the order in which they began."""
        begun = [task for task in self._view.tasks if self._folder.log_file(task.id).is_file()]
        return sorted(begun, key=lambda task: task.started_at or task.created_at)

    def _check(self, task: str) -> None:
        if all(known.id != task for known in self._view.tasks):
            raise NoSuchTask(self._view, task)

    def _copy(self, task: str, ended: Callable[[], bool]) -> None:
        for chunk in logs.follow(self._folder.log_file(task), ended):
            self._output.write(chunk)

    def _ended(self, task: str) -> bool:
        view = self._latest()
        return view.state.ended or any(known.id == task and known.status.ended for known in view.tasks)

    def _latest(self) -> JobView:
        """The job as it is now; its files are read again only when they were replaced."""
        stamp = self._folder.stamp()
        if stamp != self._stamp:
            try:
                self._view = self._folder.read()
            except FileNotFoundError:
                raise JobNotFound(self._folder.name, self._store.jobs) from None
            self._stamp = stamp
        return self._view


class _Output:
    """Standard output for logs: as they are, or harmless where it is a terminal."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._line_open = False
        self.write = self._show if sys.stdout.isatty() else self._copy

    def headline(self, task: str) -> None:
        """Begin a new task's log."""
        end = "\n" if self._line_open else ""
        self.write(f"{end}==> {task} <==\n".encode())

    def _copy(self, data: bytes) -> None:
        self._line_open = not data.endswith(b"\n")
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def _show(self, data: bytes) -> None:
        self._line_open = not data.endswith(b"\n")
        sys.stdout.write(logs.harmless(self._decoder.decode(data)))
        sys.stdout.flush()
