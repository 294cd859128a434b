"""The jobs folder -> facts: woken by file events, with polling as the safety net."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from watchfiles._rust_notify import RustNotify

from air_executor.documents import Unfinished
from air_executor.errors import BadInput
from air_executor.models import Job, JobState, Task, utc_now
from air_executor.store import JobFolder, Store
from manager import intake
from manager.facts import CancelRequested, Fact, JobFound, JobRefused, JobVanished, Tick
from manager.settings import Settings
from manager.workspace import owner_of

log = logging.getLogger(__name__)

EVENT_STEP = 5
"""Milliseconds between two looks at the queue of file events; 1 would be faster and cost 2 % of a core."""
EVENT_DEBOUNCE = 50
"""Milliseconds that events are gathered for at most, where they come without a pause."""
VIEWS = ("state.json", "tasks.json")
HALF_WRITTEN_LOOK = 0.5
"""Seconds between two looks at a folder that somebody is still writing."""


@dataclass
class _Unready:
    """A folder that is not yet a job."""

    since: float = field(default_factory=time.monotonic)
    reported: bool = False


class Watcher:
    """Looks at the folder in a thread of its own, and tells what it finds through `emit`."""

    def __init__(self, store: Store, settings: Settings, emit: Callable[[Fact], None]) -> None:
        self._store = store
        self._settings = settings
        self._emit = emit
        self._live: dict[str, str] = {}
        self._known: set[str] = set()
        """Folders that have been told of, or have ended."""
        self._leaving: set[str] = set()
        """Names whose folder went while their job was live: free again when the job has ended."""
        self._unready: dict[str, _Unready] = {}
        self._lock = threading.Lock()
        self._due = 0.0
        """When the next poll is, by the monotonic clock."""
        self._rewatch = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._store.jobs.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping = True
        self._rewatch.set()

    def follow(self, name: str, uid: str) -> None:
        """The job is live: tell of its cancel marker, its inbox, and when its folder goes."""
        with self._lock:
            self._live[name] = uid
            self._known.add(name)
        self._rewatch.set()

    def unfollow(self, name: str, uid: str) -> None:
        """The job has ended."""
        with self._lock:
            if self._live.get(name) == uid:
                del self._live[name]
            if name in self._leaving:
                self._leaving.discard(name)
                self._known.discard(name)
        self._rewatch.set()

    # --- The thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            self._rewatch.clear()
            try:
                self._watch()
            except FileNotFoundError:  # a folder went away between listing and watching it
                continue
            except Exception:
                log.exception("looking at %s failed; trying again", self._store.jobs)
                time.sleep(1)

    def _watch(self) -> None:
        """Look whenever something happens, until the set of folders to watch changes or a poll is due."""
        paths = set(self._watched())
        with RustNotify([str(path) for path in paths], False, False, 0, False, True) as events:
            # Only now: what happens from here on is noticed, and what happened before is seen.
            self._look()
            while not self._rewatch.is_set() and paths.issuperset(self._watched()):
                left = self._due - time.monotonic()
                if left <= 0:
                    self._due = time.monotonic() + self._settings.poll_interval
                    self._emit(Tick())
                    return
                pause = min(left, HALF_WRITTEN_LOOK) if self._unready else left
                changes = events.watch(EVENT_DEBOUNCE, EVENT_STEP, int(pause * 1000) + 1, self._rewatch)
                if self._unready or changes == "timeout" or _worth_a_look(changes):
                    self._look()

    def _watched(self) -> Iterator[Path]:
        yield self._store.jobs
        with self._lock:
            live, unready = list(self._live), list(self._unready)
        for name in live:
            folder = self._store.folder(name)
            yield from (path for path in (folder.path, folder.inbox_new) if path.is_dir())
        for name in unready:
            path = self._store.jobs / name
            if path.is_dir():
                yield path

    # --- Looking -----------------------------------------------------------------------------------------

    def _look(self) -> None:
        present: set[str] = set()
        for folder in self._store.folders():
            present.add(folder.name)
            if folder.name not in self._known:
                self._look_at_new(folder)
        with self._lock:
            gone = [name for name in self._known - self._leaving if name not in present]
        for name in gone:
            self._forget(name)
        for name in [name for name in self._unready if name not in present]:
            del self._unready[name]
        with self._lock:
            live = list(self._live.items())
        for name, uid in live:
            self._look_at_live(self._store.folder(name), uid)

    def _forget(self, name: str) -> None:
        with self._lock:
            uid = self._live.pop(name, None)
            if uid is None:
                self._known.discard(name)
            else:
                self._leaving.add(name)
        if uid is not None:
            self._emit(JobVanished(uid, utc_now()))

    def _look_at_live(self, folder: JobFolder, uid: str) -> None:
        if folder.cancel_marker.exists():
            self._emit(CancelRequested(uid, utc_now()))
        for fact in intake.drain(folder.path, uid, utc_now()):
            self._emit(fact)

    def _look_at_new(self, folder: JobFolder) -> None:
        unready = self._unready.setdefault(folder.name, _Unready())
        job: Job | None = None
        tasks: tuple[Task, ...] = ()
        try:
            job = folder.read_job()
            if not job.state.ended:
                tasks = folder.read_tasks()
                self._emit(self._found(folder, job, tasks))
        except FileNotFoundError as error:
            self._report_incomplete(folder, unready, error)
            return
        except BadInput as error:
            if isinstance(error, Unfinished) and self._being_written(folder):
                return
            self._emit(JobRefused(folder.name, job, tasks, str(error), utc_now()))
        except OSError as error:
            self._report_incomplete(folder, unready, error)
            return
        del self._unready[folder.name]
        with self._lock:
            self._known.add(folder.name)

    def _found(self, folder: JobFolder, job: Job, tasks: tuple[Task, ...]) -> Fact:
        if job.state is JobState.WORKING:
            message = (
                f'{folder.state_file}: state: says "working", but this manager has never taken the job, so '
                'what ran of it is not known; to run it from the beginning, copy it with the state "waiting"'
            )
            return JobRefused(folder.name, job, tasks, message, utc_now())
        return JobFound(folder.name, job, tasks, owner_of(folder.path), utc_now())

    def _being_written(self, folder: JobFolder) -> bool:
        newest = 0.0
        for file in (folder.state_file, folder.tasks_file):
            with suppress(OSError):
                newest = max(newest, file.stat().st_mtime)
        return abs(time.time() - newest) < self._settings.settle

    def _report_incomplete(self, folder: JobFolder, unready: _Unready, error: OSError) -> None:
        if unready.reported or time.monotonic() - unready.since < self._settings.incomplete_after:
            return
        unready.reported = True
        missing = Path(str(error.filename)).name
        log.warning(
            "job=%s is not a job yet: %s (%s); a job needs state.json and tasks.json, or remove the folder",
            folder.name,
            missing,
            error.strerror,
        )


def _worth_a_look(changes: set[tuple[int, str]] | str) -> bool:
    """Not when all that changed are the views that the manager writes itself."""
    return isinstance(changes, set) and any(
        not Path(path).name.lstrip(".").startswith(VIEWS) for _, path in changes
    )
