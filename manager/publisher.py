"""Writes the views, `state.json` and `tasks.json`, in a thread of its own, each time with the latest.

A job that changes faster than its views can be written is written less often: the pause after a write grows
with what the write cost, so a job of 10,000 tasks costs time in proportion to its tasks.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from air_executor.store import tasks_text, write_durably
from manager.facts import Fact, JobPublished

log = logging.getLogger(__name__)

PAUSE_FACTOR = 4
RETRY_PAUSE = 1.0
"""Seconds until a write that failed (a full disk) is tried again."""


@dataclass(frozen=True, slots=True)
class Views:
    """What a job's two files are to say. `tasks` are the entries of tasks.json, or None to leave it alone."""

    uid: str
    folder: Path
    job: str
    tasks: tuple[str, ...] | None
    last: bool


Stamp = tuple[int, int, int] | None


class Publisher:
    """One writer for all views."""

    def __init__(self, emit: Callable[[Fact], None]) -> None:
        self._emit = emit
        self._wanted: dict[str, Views] = {}
        self._current: dict[str, Views] = {}
        self._stamps: dict[Path, Stamp] = {}
        self._not_before: dict[str, float] = {}
        self._changed = threading.Condition()
        self._gone: set[str] = set()
        """Jobs whose folder is gone; what stands in its place is not theirs."""
        self._look = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def publish(self, views: Views) -> None:
        """Have these views written soon; later ones take their place."""
        with self._changed:
            self._wanted[views.uid] = views
            self._changed.notify()

    def forget(self, uid: str) -> None:
        """The job's folder is gone, and with it what there was to write."""
        with self._changed:
            self._gone.add(uid)
            views = self._wanted.pop(uid, None) or self._current.pop(uid, None)
            self._current.pop(uid, None)
            self._not_before.pop(uid, None)
            for file in _files(views.folder) if views else ():
                self._stamps.pop(file, None)

    def restore(self) -> None:
        """Look whether somebody has changed a view of a live job, and have it written again if so."""
        with self._changed:
            self._look = True
            self._changed.notify()

    def stop(self, timeout: float) -> None:
        """Write what is wanted, then end; give up after `timeout` seconds."""
        with self._changed:
            self._stopping = True
            self._not_before.clear()
            self._changed.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        while (views := self._next()) is not None:
            began = time.monotonic()
            try:
                self._write(views)
            except OSError as error:
                if views.folder.exists():
                    self._postpone(views, error)
                    continue
            self._written(views, time.monotonic() - began)

    def _next(self) -> Views | None:
        with self._changed:
            while True:
                if self._look:
                    self._want_edited()
                now = time.monotonic()
                due = {uid: self._not_before.get(uid, 0.0) for uid in self._wanted}
                uid = min(due, key=lambda uid: due[uid], default=None)
                if uid is None:
                    if self._stopping:
                        return None
                    self._changed.wait()
                elif due[uid] <= now:
                    return self._wanted.pop(uid)
                else:
                    self._changed.wait(due[uid] - now)

    def _want_edited(self) -> None:
        """Between two writes: during one, the file that is being replaced would look like a stranger's."""
        self._look = False
        for uid, views in self._current.items():
            if uid not in self._wanted and any(self._altered(file) for file in _files(views.folder)):
                self._wanted[uid] = views

    def _write(self, views: Views) -> None:
        """Tasks first: who reads a state finds tasks that are not older."""
        tasks, state = _files(views.folder)
        before = self._current.get(views.uid)
        if views.tasks is not None and (
            before is None or views.tasks != before.tasks or self._altered(tasks)
        ):
            self._replace(tasks, tasks_text(views.tasks))
        self._replace(state, views.job)

    def _replace(self, file: Path, text: str) -> None:
        if self._foreign(file):
            aside = file.with_name(f"{file.name}.edited-{time.time_ns()}")
            os.link(file, aside, follow_symlinks=False)  # a reader finds a view at any moment
            log.warning(
                "%s was changed by somebody else; that is now %s, and the manager's own is back. "
                "To change a job use its inbox, or `air-executor queue` and `cancel`",
                file,
                aside.name,
            )
        self._stamps[file] = _stamp_of(write_durably(file, text))

    def _altered(self, file: Path) -> bool:
        """Whether the file is not the one that was written last, or gone."""
        known = self._stamps.get(file)
        return known is not None and _stamp(file) != known

    def _foreign(self, file: Path) -> bool:
        """Whether somebody else's file is in the place of the one that was written last."""
        return self._altered(file) and _stamp(file) is not None

    def _written(self, views: Views, seconds: float) -> None:
        with self._changed:
            if views.last or views.uid in self._gone:
                self._current.pop(views.uid, None)
                self._not_before.pop(views.uid, None)
                for file in _files(views.folder):
                    self._stamps.pop(file, None)
            else:
                self._current[views.uid] = views
                self._not_before[views.uid] = time.monotonic() + PAUSE_FACTOR * seconds
        if views.last:
            self._emit(JobPublished(views.uid))

    def _postpone(self, views: Views, error: OSError) -> None:
        log.error("%s can't be written: %s; trying again", views.folder, error)
        with self._changed:
            self._wanted.setdefault(views.uid, views)
            self._not_before[views.uid] = time.monotonic() + RETRY_PAUSE
            if self._stopping:
                self._wanted.clear()


def _files(folder: Path) -> tuple[Path, Path]:
    return folder / "tasks.json", folder / "state.json"


def _stamp(file: Path) -> Stamp:
    try:
        status = file.stat()
    except OSError:
        return None
    return _stamp_of(status)


def _stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size
