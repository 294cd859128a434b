"""Writes the views, `state.json` and `tasks.json`, in a thread of its own, each time with the latest.

It is told what has changed, and a task that has changed is rendered once for each time that it is written.
A view is always written whole, so a job that changes all the time is written at a bounded rate of bytes: its
cost is in proportion to how long it takes, and that to its tasks, however many they are.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from air_executor.files import write_durably
from air_executor.format.models import Decision, Job, Task
from air_executor.format.text import job_text, task_text, tasks_text
from manager.folder import markers
from manager.model.facts import Fact, JobPublished

log = logging.getLogger(__name__)

PAUSE_FACTOR = 4
"""How many times longer than it was written a job rests: a slow disk, and the other jobs, need their turn."""
SMALL = 128_000
"""Bytes of views, those of some 100 tasks, that are written as often as these allow: within milliseconds."""
RATE = 500_000
"""Bytes in a second for views that are larger. Where ten tasks end in a second that is 50 KB for each, about
what each costs in a job of 50. The price: 5,000 tasks, 5.5 MB, that change all the time are seen up to 11 s
late. After a rest as long as that, and when the job fails or ends, they are seen at once."""
GATHERING = 0.02
"""Seconds in which changes gather before they are written: what is new is shown when it has been acted on,
for writing takes the time of the processor that the next command needs to begin. That a job is taken, fails
or ends is shown at once."""
RETRY_PAUSE = 1.0
"""Seconds until a write that failed (a full disk) is tried again."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new in a job: its own record, and the tasks and decisions that have changed. First: all."""

    uid: str
    folder: Path
    job: Job
    """Its `requests` do not count: those are told as `decisions`."""
    tasks: Iterable[Task] = ()
    """In the order of tasks.json, which is left alone as long as there are none."""
    decisions: Iterable[Decision] = ()
    answered: Iterable[Path] = ()
    """Markers in the folder that ask for what these views show: they go as soon as it can be seen."""


Stamp = tuple[int, int, int] | None
"""What tells one version of a file from another."""


class Publisher:
    """One writer for all views."""

    def __init__(self, emit: Callable[[Fact], None]) -> None:
        self._emit = emit
        self._views: dict[str, _Views] = {}
        self._wanted: set[str] = set()
        """Jobs with something to write."""
        self._changed = threading.Condition()
        """Held for everything but the writing itself."""
        self._look = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def publish(self, changes: Changes) -> None:
        """Have these changes written soon, together with those that are not written yet."""
        with self._changed:
            views = self._views.get(changes.uid)
            if views is None:
                views = self._views[changes.uid] = _Views(changes)
            if changes.uid not in self._wanted:
                views.gather()
            views.add(changes)
            self._wanted.add(changes.uid)
            self._changed.notify()

    def forget(self, uid: str) -> None:
        """The job's folder is gone, and with it what there was to write: what stands there is not its own."""
        with self._changed:
            self._views.pop(uid, None)
            self._wanted.discard(uid)

    def restore(self) -> None:
        """Look whether somebody has changed a view of a live job, and have it written again if so."""
        with self._changed:
            self._look = True
            self._changed.notify()

    def stop(self, timeout: float) -> None:
        """Write what is wanted, then end; give up after `timeout` seconds."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        while (views := self._next()) is not None:
            try:
                views.write()
            except Exception as error:  # a job that can't be shown must not keep the others from being shown
                if os.path.lexists(views.folder):
                    self._postpone(views, error)
                    continue
            self._written(views)

    def _next(self) -> "_Views | None":
        with self._changed:
            while True:
                if self._look:
                    self._want_edited()
                wanted = (self._views[uid] for uid in self._wanted)
                views = min(wanted, key=lambda views: views.due, default=None)
                if views is None:
                    if self._stopping:
                        return None
                    self._changed.wait()
                elif self._stopping or views.due <= time.monotonic():
                    self._wanted.discard(views.uid)
                    views.take()
                    return views
                else:
                    self._changed.wait(views.due - time.monotonic())

    def _want_edited(self) -> None:
        """Between two writes: during one, the file that is being replaced would look like a stranger's."""
        self._look = False
        self._wanted.update(uid for uid, views in self._views.items() if views.altered)

    def _written(self, views: "_Views") -> None:
        with self._changed:
            if views.last and views.uid not in self._wanted:
                self._views.pop(views.uid, None)
        if views.last:
            self._emit(JobPublished(uid=views.uid))

    def _postpone(self, views: "_Views", error: Exception) -> None:
        views.postpone(error)
        with self._changed:
            if self._views.get(views.uid) is views and not self._stopping:
                self._wanted.add(views.uid)


class _Views:
    """Both views of one job: what they say, and what they are to say.

    `add` and `take` are called with the publisher's lock held; what they share is not touched elsewhere.
    """

    def __init__(self, changes: Changes) -> None:
        self.uid = changes.uid
        self.folder = changes.folder
        self.last = False
        """Whether the job had ended when the views were taken."""
        self._job = changes.job
        self._decisions: dict[str, Decision] = {}
        self._changed: dict[str, Task] = {}
        self._answered: list[Path] = []
        self._urgent = True
        self._taken = self._job
        self._going: list[Path] = []
        self._unrendered: dict[str, Task] = {}
        self._entries: dict[str, str] = {}
        """The tasks as tasks.json says them, or will."""
        self._stale = False
        """Whether tasks.json does not say `_entries` yet."""
        self._tasks = _View(changes.folder / "tasks.json")
        self._state = _View(changes.folder / "state.json")
        self._not_before = 0.0
        self._gathered_at = 0.0
        self._trouble: str | None = None

    @property
    def due(self) -> float:
        """When to write them, by the monotonic clock."""
        return 0.0 if self._urgent else max(self._not_before, self._gathered_at)

    @property
    def altered(self) -> bool:
        """Whether somebody else has changed one, or taken it away."""
        return self._tasks.altered or self._state.altered

    def gather(self) -> None:
        """There is something to write again, and more may come at once."""
        self._gathered_at = time.monotonic() + GATHERING

    def add(self, changes: Changes) -> None:
        """Remember what changed. That a job fails or ends is shown at once: it happens once or twice."""
        before, self._job = self._job, changes.job
        self._changed.update((task.id, task) for task in changes.tasks)
        self._decisions.update((decision.request, decision) for decision in changes.decisions)
        self._answered += changes.answered
        self._urgent |= (before.state, before.failure) != (self._job.state, self._job.failure)

    def take(self) -> None:
        """What is known now is what `write` writes: the job and its tasks as they were at one moment."""
        self._taken = self._job.model_copy(update={"requests": tuple(self._decisions.values())})
        self._unrendered |= self._changed
        self._changed.clear()
        self._going += self._answered
        self._answered.clear()
        self._urgent = False
        self.last = self._taken.state.ended

    def write(self) -> None:
        """Tasks first: who reads a state finds tasks that are not older. What fails may be tried again."""
        began = time.monotonic()
        size = 0
        if self._unrendered:
            self._stale = True
            self._entries.update((task.id, task_text(task)) for task in self._unrendered.values())
            self._unrendered.clear()
        if self._stale or self._tasks.altered:
            size += self._tasks.replace(tasks_text(iter(self._entries.values())))
            self._stale = False
        size += self._state.replace(job_text(self._taken))
        while self._going:
            markers.remove(self._going.pop())
        self._rest(size, began)

    def postpone(self, error: Exception) -> None:
        """Writing has failed. It is said once, not once a second for as long as a disk is full."""
        self._not_before = time.monotonic() + RETRY_PAUSE
        trouble, bug = getattr(error, "strerror", None), None
        if trouble is None:
            trouble, bug = repr(error), error
        if trouble != self._trouble:
            log.error("%s can't be written: %s; trying again", self.folder, trouble, exc_info=bug)
        self._trouble = trouble

    def _rest(self, size: int, began: float) -> None:
        now = time.monotonic()
        pause = PAUSE_FACTOR * (now - began)
        self._not_before = now + (pause if size <= SMALL else max(pause, size / RATE))
        if self._trouble is not None:
            log.info("%s can be written again", self.folder)
        self._trouble = None


class _View:
    """One file that the manager alone writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own: Stamp = None

    @property
    def altered(self) -> bool:
        """Whether the file is not the one that was written last, or gone."""
        return self._own is not None and _stamp(self._path) != self._own

    def replace(self, text: str) -> int:
        """Write it whole, and say how many bytes that were. An edit of somebody else's is set aside."""
        if self.altered and _stamp(self._path) is not None:
            self._set_aside()
        try:
            status = write_durably(self._path, text)
        except OSError:
            self._recognise(text)
            raise
        self._own = _stamp_of(status)
        return status.st_size

    def _recognise(self, text: str) -> None:
        """What failed may have been the last step, with the file in its place: it is nobody's edit then."""
        try:
            if self._path.read_bytes() == text.encode():
                self._own = _stamp(self._path)
        except OSError:
            return

    def _set_aside(self) -> None:
        aside = self._path.with_name(f"{self._path.name}.edited-{time.time_ns()}")
        os.link(self._path, aside, follow_symlinks=False)  # a reader finds a view at any moment
        log.warning(
            "%s was changed by somebody else; that is now %s, and the manager's own is back. "
            "To change a job use its inbox, or `air-executor queue` and `cancel`",
            self._path,
            aside.name,
        )


def _stamp(file: Path) -> Stamp:
    try:
        status = file.stat()
    except OSError:
        return None
    return _stamp_of(status)


def _stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size
