"""Print and follow what tasks have written. Their output is hostile: a terminal gets it made harmless."""

import codecs
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from air_executor import logs
from air_executor.cli.problems import complain
from air_executor.client import Client
from air_executor.errors import AirExecutorError, BadInput, JobNotFound
from air_executor.format.models import JobView, Task
from air_executor.terminal import open_escape, without_escapes

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
            self._show(task.id, lambda: True)
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
                self._show(task, partial(self._ended, task))
            elif ended:
                return
            else:
                time.sleep(LOOK_INTERVAL)

    def _begun(self) -> list[Task]:
        """The tasks that have a log, in the order in which they began."""
        begun = [task for task in self._view.tasks if self._folder.has_log(task.id)]
        return sorted(begun, key=lambda task: task.started_at or task.created_at)

    def _check(self, task: str) -> None:
        if all(known.id != task for known in self._view.tasks):
            raise NoSuchTask(self._view, task)

    def _copy(self, task: str, ended: Callable[[], bool]) -> None:
        """One task's log: as it is, or harmless where it is a terminal."""
        write = _Harmless().write if sys.stdout.isatty() else _write_as_it_is
        for chunk in self._output_of(task, ended):
            write(chunk)

    def _show(self, task: str, ended: Callable[[], bool]) -> None:
        """One of several logs: below a headline that no task can write, for its lines begin with its id."""
        print(f"==> {task} <==")
        lines = _Harmless(f"{task} | ")
        try:
            for chunk in self._output_of(task, ended):
                lines.write(chunk)
        except BadInput as error:
            complain(str(error))
        finally:
            lines.end()

    def _output_of(self, task: str, ended: Callable[[], bool]) -> Iterator[bytes]:
        return logs.follow(lambda: self._folder.opened_log(task), ended)

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


class _Harmless:
    """Standard output for one log, harmless, without colours, and with `prefix` before each of its lines."""

    def __init__(self, prefix: str = "") -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._prefix = prefix
        self._line_open = False
        self._open_escape = ""

    def write(self, data: bytes) -> None:
        """Show what was added to the log."""
        text = self._open_escape + self._decoder.decode(data)
        whole = open_escape(text)
        self._open_escape = text[whole:]
        self._show(text[:whole])

    def _show(self, text: str) -> None:
        for line in logs.harmless(without_escapes(text)).splitlines(keepends=True):
            sys.stdout.write(line if self._line_open else self._prefix + line)
            self._line_open = not line.endswith("\n")
        sys.stdout.flush()

    def end(self) -> None:
        """Show what has begun as an escape and has no end, and end the last line, where the log does not."""
        self._show(self._open_escape)
        self._open_escape = ""
        if self._line_open:
            print()


def _write_as_it_is(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
