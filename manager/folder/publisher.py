"""Writes the views, `state.json` and `tasks.json`, in a thread of its own, each time with the latest.

It is told what has changed, and a task that has changed is rendered once for each time that it is written.
A view is always written whole, so a job that changes all the time is written at a bounded rate of bytes: its
cost is in proportion to how long it takes, and that to its tasks, however many they are.
"""

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from air_executor.files import Create, Version, create_exclusively, version_of, write_durably
from air_executor.format import layout
from air_executor.format.models import Decision, Job, Task
from air_executor.format.text import job_text, task_text, tasks_text
from air_executor.untrusted import NotItsOwn, NotRegular, TooLarge, opened, opened_own, whole
from manager.daemon.reserve import NO_RESERVE, Reserve
from manager.folder import markers
from manager.model.changes import Changes
from manager.model.facts import Fact, JobPublished

log = logging.getLogger(__name__)

PAUSE_FACTOR = 4
"""Views rest this many times as long as writing them took: a slow disk and the other jobs need their turn."""
SMALL = 128_000
"""Bytes, those of some 100 tasks, up to which views need no other rest: they are written in milliseconds."""
RATE = 500_000
"""Bytes in a second that are written of larger views. Where ten tasks end in a second that is 50 KB for each,
about what each costs in a job of 50. The price: 5,000 tasks, 5.5 MB, that change all the time are seen up to
11 s late. After a rest as long as that, and when the job fails or ends, they are seen at once."""
GATHERING = 0.02
"""Seconds in which changes gather before they are written: what is new is shown when it has been acted on,
for writing takes the time of the processor that the next command needs to begin. That a job is taken, fails
or ends is shown at once."""
RETRY_PAUSE = 1.0
"""Seconds until a write that failed (a full disk) is tried again."""


Key = str | Path
"""Whose views they are: the uid of a job; or the folder that was refused, which is no job."""


class Publisher:
    """One writer for all views. The `reserve` is spent for the last views of a job."""

    def __init__(self, emit: Callable[[Fact], None], reserve: Reserve = NO_RESERVE) -> None:
        self._emit = emit
        self._reserve = reserve
        self._views: dict[Key, _Views] = {}
        self._wanted: set[Key] = set()
        """Those with something to write."""
        self._changed = threading.Condition()
        """Held for everything but the writing itself."""
        self._look = False
        """Whether somebody wants to know of edits."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def publish(self, changes: Changes, folder: Path, answered: Iterable[Path] = ()) -> None:
        """Have these changes written soon, together with those that are not written yet.

        `answered` are markers in the `folder` that ask for what these views show: they go as soon as it can
        be seen. When the last views of a job are written, `JobPublished` is told.
        """
        news = _Unwritten.of(changes.job, changes.tasks, changes.decisions, answered)
        self._add(changes.uid, folder, news)

    def publish_refusal(self, folder: Path, job: Job, tasks: Iterable[Task]) -> None:
        """Have `job`, which has failed or ended before, shown in a folder that can't be taken as a job.

        Without tasks, tasks.json is left alone. Nothing is told when it is written: no job waits for that.
        """
        self._add(folder, folder, _Unwritten.of(job, tasks, job.requests))

    def _add(self, key: Key, folder: Path, news: "_Unwritten") -> None:
        with self._changed:
            views = self._views.get(key)
            if views is None:
                views = self._views[key] = _Views(key, folder, news.job)
            if key not in self._wanted:
                views.gather()
            views.add(news)
            self._wanted.add(key)
            self._changed.notify()

    def forget(self, uid: str) -> None:
        """Write no more for the job: its folder is gone, and what has its name now is not its own."""
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
                if views.last:
                    self._reserve.spend_on_new(views.write)
                else:
                    views.write(create_exclusively)
            except Exception as error:  # a job that can't be shown must not keep the others from being shown
                if _is_folder(views.folder):
                    self._postpone(views, error)
                    continue
            self._written(views)

    def _next(self) -> "_Views | None":
        with self._changed:
            while True:
                if self._look:
                    self._want_edited()
                wanted = (self._views[key] for key in self._wanted)
                views = min(wanted, key=lambda views: views.due, default=None)
                if views is None:
                    if self._stopping:
                        return None
                    self._changed.wait()
                elif self._stopping or views.due <= time.monotonic():
                    self._wanted.discard(views.key)
                    views.take()
                    return views
                else:
                    self._changed.wait(views.due - time.monotonic())

    def _want_edited(self) -> None:
        """Between two writes: during one, the file that is being replaced would look like a stranger's."""
        self._look = False
        self._wanted.update(key for key, views in self._views.items() if views.altered)

    def _written(self, views: "_Views") -> None:
        with self._changed:
            if views.last and views.key not in self._wanted:
                self._views.pop(views.key, None)
        if views.last and isinstance(views.key, str):
            self._emit(JobPublished(uid=views.key))

    def _postpone(self, views: "_Views", error: Exception) -> None:
        views.postpone(error)
        with self._changed:
            if self._views.get(views.key) is views and not self._stopping:
                self._wanted.add(views.key)


@dataclass
class _Unwritten:
    """What is new in a job and not in its views yet."""

    job: Job
    tasks: dict[str, Task] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    answered: list[Path] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        job: Job,
        tasks: Iterable[Task],
        decisions: Iterable[Decision] = (),
        answered: Iterable[Path] = (),
    ) -> Self:
        """The same, from any number of tasks, decisions and markers."""
        return cls(
            job,
            {task.id: task for task in tasks},
            {decision.request: decision for decision in decisions},
            list(answered),
        )

    def add(self, later: "_Unwritten") -> None:
        """Add what is newer; of the same task or request, it replaces what was known."""
        self.job = later.job
        self.tasks |= later.tasks
        self.decisions |= later.decisions
        self.answered += later.answered


class _Views:
    """Both views of one job, or of a folder that was refused: what they say, and what they are to say.

    `add` and `take` are called with the publisher's lock held; what they share is not touched elsewhere.
    """

    def __init__(self, key: Key, folder: Path, job: Job) -> None:
        self.key = key
        self.folder = folder
        self._pending = _Unwritten(job)
        self._in_flight = _Unwritten(job)
        """What `write` writes. Of what it has written, the decisions stay: state.json has all of them."""
        self._entries: dict[str, str] = {}
        """The tasks as tasks.json says them, or will."""
        self._stale = False
        """Whether tasks.json does not say `_entries` yet."""
        self._tasks = _View(folder, layout.TASKS)
        self._state = _View(folder, layout.STATE)
        self._urgent = True
        self._not_before = 0.0
        self._gathered_at = 0.0
        self._trouble: str | None = None

    @property
    def due(self) -> float:
        """When to write them, by the monotonic clock."""
        return 0.0 if self._urgent else max(self._not_before, self._gathered_at)

    @property
    def last(self) -> bool:
        """Whether the job had ended when the views were taken."""
        return self._in_flight.job.state.ended

    @property
    def altered(self) -> bool:
        """Whether somebody else has changed one, or taken it away."""
        return self._tasks.altered or self._state.altered

    def gather(self) -> None:
        """Wait a moment before writing: more changes may come at once."""
        self._gathered_at = time.monotonic() + GATHERING

    def add(self, news: _Unwritten) -> None:
        """Remember what changed. That a job fails or ends is shown at once: it happens once or twice."""
        before, after = self._pending.job, news.job
        self._urgent |= (before.state, before.failure) != (after.state, after.failure)
        self._pending.add(news)

    def take(self) -> None:
        """Let `write` write what is known now: the job and its tasks as they were at one moment."""
        self._in_flight.add(self._pending)
        self._pending = _Unwritten(self._pending.job)
        self._urgent = False

    def write(self, create: Create) -> None:
        """Tasks first: who reads a state finds tasks that are not older. What fails may be tried again.

        Both by one handle of the job's folder: where a link has taken its place, nothing is written.
        """
        began = time.monotonic()
        with opened(self.folder) as folder:
            size = self._write_tasks(folder, create) + self._write_state(folder, create)
        while self._in_flight.answered:
            markers.remove(self._in_flight.answered.pop())
        self._rest(size, began)

    def _write_tasks(self, folder: int, create: Create) -> int:
        """Returns how many bytes that were."""
        changed = self._in_flight.tasks
        if changed:
            self._stale = True
            self._entries.update((task.id, task_text(task)) for task in changed.values())
            changed.clear()
        if not self._stale and not self._tasks.altered:
            return 0
        size = self._tasks.replace(tasks_text(iter(self._entries.values())), folder, create)
        self._stale = False
        return size

    def _write_state(self, folder: int, create: Create) -> int:
        """Returns how many bytes that were."""
        decisions = tuple(self._in_flight.decisions.values())
        job = self._in_flight.job.model_copy(update={"requests": decisions})
        return self._state.replace(job_text(job), folder, create)

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

    def __init__(self, job: Path, name: str) -> None:
        self._job = job
        self._name = name
        self._own: Version | None = None

    @property
    def altered(self) -> bool:
        """Whether the file is not the one that was written last, or gone."""
        if self._own is None:
            return False
        try:
            with opened(self._job) as folder:
                return version_of(self._name, folder) != self._own
        except OSError:
            return True

    def replace(self, text: str, folder: int, create: Create) -> int:
        """Write it whole, and say how many bytes that were. An edit of somebody else's is set aside."""
        found = version_of(self._name, folder)
        if self._own is not None and found not in (None, self._own):
            self._set_aside(folder)
        try:
            status = write_durably(self._name, text, folder, create)
        except OSError:
            self._recognise(text, folder)
            raise
        self._own = Version.of(status)
        return status.st_size

    def _recognise(self, text: str, folder: int) -> None:
        """Where the text is in its place, only the last step of writing it failed: the file is our own."""
        content = text.encode()
        with suppress(OSError, NotItsOwn, NotRegular, TooLarge), opened_own(self._name, folder) as file:
            if whole(file, len(content)) == content:
                self._own = Version.of(os.fstat(file))

    def _set_aside(self, folder: int) -> None:
        aside = f"{self._name}.edited-{time.time_ns()}"
        try:  # a reader finds a view at any moment
            os.link(self._name, aside, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except PermissionError:  # a folder has one name only
            os.rename(self._name, aside, src_dir_fd=folder, dst_dir_fd=folder)
        log.warning(
            "%s was changed by somebody else; that is now %s, and the manager's own is back. "
            "To change a job use its inbox, or `air-executor queue` and `cancel`",
            self._job / self._name,
            aside,
        )


def _is_folder(path: Path) -> bool:
    """Whether the folder is there, and no link in its place."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
