"""The jobs folder -> facts: woken by file events, with polling as the safety net."""

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from air_executor.clock import utc_now
from air_executor.errors import BadInput
from air_executor.format import names
from air_executor.format.documents import Unfinished
from air_executor.format.models import Job, JobState, Task
from air_executor.store import WAKE, JobFolder, Store
from manager.folder import inbox
from manager.folder.file_events import Change, FileEvents, NoFileEvents
from manager.folder.listing import Lister, Listing
from manager.folder.markers import Markers
from manager.folder.places import Place, Unready
from manager.folder.workspace import owner_of
from manager.model.facts import CancelRequested, Fact, JobFound, JobRefused, JobVanished, Tick
from manager.settings import Settings

log = logging.getLogger(__name__)

GATHERING = 0.01
"""Seconds after a look in which events gather: the first is heeded at once, and of many not each alone."""
VIEWS = ("state.json", "tasks.json")
HALF_WRITTEN_LOOK = 0.5
"""Seconds between two looks at a folder that somebody is still writing."""

RETRY_PAUSE = 0.05
"""Seconds after which what has just gone is looked for again: where it is the jobs folder, it stays away."""


class Watcher:
    """Looks at the folder in a thread of its own, and tells what it finds through `emit`."""

    def __init__(self, store: Store, settings: Settings, emit: Callable[[Fact], None]) -> None:
        self._store = store
        self._settings = settings
        self._emit = emit
        self._markers = Markers(store, emit)
        self._lister = Lister(store.jobs)
        self._live: dict[str, str] = {}
        self._known: dict[str, Place] = {}
        """Folders that have been told of, or have ended."""
        self._leaving: set[str] = set()
        """Names whose folder went while their job was live: free again when the job has ended."""
        self._unready: dict[str, Unready] = {}
        self._lock = threading.Lock()
        self._due = 0.0
        """When the next poll is, by the monotonic clock."""
        self._events: FileEvents | None = None
        """None before there are any; closed where they can't be had."""
        self._deaf = False
        """Whether it was said that file events can't be had."""
        self._hears = False
        """Whether file events are had now."""
        self._roused = False
        """Whether other folders are live than when these were last looked at."""
        self._to_list = True
        """Whether something may be in the jobs folder that has not been looked at, or be there no more."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._store.jobs.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping = True
        self._rouse()

    def follow(self, name: str, uid: str) -> None:
        """The job is live: tell of its cancel marker, its inbox, and when its folder goes."""
        with self._lock:
            self._live[name] = uid
            self._known.setdefault(name, Place())
        self._rouse()

    def replaced(self, name: str) -> None:
        """The folder of that name is not the followed job's; it comes after it."""
        with self._lock:
            self._known[name] = Place(removed=True)

    def unfollow(self, name: str, uid: str) -> None:
        """The job has ended."""
        with self._lock:
            if self._live.get(name) == uid:
                del self._live[name]
            if name in self._leaving:
                self._leaving.discard(name)
                self._known.pop(name, None)
                self._to_list = True
        self._rouse()

    # --- The thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._listen()
            except FileNotFoundError:  # a folder went away while it was looked at
                time.sleep(RETRY_PAUSE)
            except Exception:
                log.exception("looking at %s failed; trying again", self._store.jobs)
                time.sleep(1)

    def _listen(self) -> None:
        try:
            with FileEvents() as self._events:
                self._watch(self._events)
        except NoFileEvents as error:  # the machine's limit of watches, among others
            self._look_without_events(error)

    def _watch(self, events: FileEvents) -> None:
        """Look whenever something happens, or a poll is due."""
        known = self._places()
        self._hears = self._to_list = True  # but of what happened before, nobody has told
        looked = False
        pause = 0.0
        while not self._stopping:
            changes = events.wait(pause)
            over = not looked and not changes
            roused = self._roused
            if roused:
                self._roused = False
            self._note_removals(changes, known)
            fresh = self._look_at_fresh(changes)
            known = self._places()
            if any(self._is_news(change, fresh) for change in changes):
                self._to_list = True
            # Watched first: what happens from here on is noticed, and what happened before is seen. So what a
            # look has found to be watched is looked at once more.
            looked = self._watch_more(events) or over or roused or self._calls_for_a_look(changes)
            due = self._due <= time.monotonic()
            if looked:
                self._look()
            if looked and due:
                self._poll()
            if looked or fresh:
                time.sleep(GATHERING)
            pause = 0.0 if looked else self._patience()

    def _patience(self) -> float:
        left = self._due - time.monotonic()
        return min(left, HALF_WRITTEN_LOOK) if self._unready else left

    def _watch_more(self, events: FileEvents) -> bool:
        """Whether a folder is watched that was not, or one of them has gone."""
        try:
            fresh = events.watch(self._watched())
            if self._store.jobs in fresh:  # it is another one: nobody has told of what is in it
                self._to_list = True
            return bool(fresh)
        except FileNotFoundError:  # between listing and watching it
            time.sleep(RETRY_PAUSE)
            return True

    def _places(self) -> dict[str, Place]:
        with self._lock:
            return dict(self._known)

    def _rouse(self) -> None:
        """Let the thread look at the live folders. Without file events it looks at all once a second."""
        self._roused = True
        if self._events is not None:
            self._events.wake()

    def _look_without_events(self, error: Exception) -> None:
        """Polling is the safety net for this as well."""
        if not self._deaf:
            log.warning("no file events: %s; looking once a second", error)
        self._deaf, self._hears = True, False
        self._look()
        if self._due <= time.monotonic():
            self._poll()
        time.sleep(1)

    def _poll(self) -> None:
        """After a look: what is put right at a tick must not be put into a folder that is another by now."""
        self._due = time.monotonic() + self._settings.poll_interval
        with self._lock:
            ended = self._known.keys() - self._live.keys() - self._leaving
        self._markers.poll(ended)
        self._emit(Tick())

    def _note_removals(self, changes: Iterable[Change], known: Mapping[str, Place]) -> None:
        """`known` are the folders that were known when events were last asked for: none is older."""
        for path in (change.path for change in changes if change.gone):
            if path.parent == self._store.jobs and path.name in known:
                known[path.name].removed = True

    def _calls_for_a_look(self, changes: Collection[Change]) -> bool:
        """Not when all that changed are the views that the manager writes itself, or is no job yet."""
        if self._due <= time.monotonic() or (changes and self._unready) or self._to_list:
            return True
        return any(self._is_inside(change.path) for change in changes)

    def _is_news(self, change: Change, fresh: Collection[str]) -> bool:
        """Whether the jobs folder is to be listed for it; not for what has been looked at by its name."""
        path = change.path
        if path.parent == self._store.jobs:
            seen = not change.gone and path.name in fresh
            return path.name.startswith(WAKE) or not (path.name.startswith(".") or seen)
        return path == self._store.jobs

    def _is_inside(self, path: Path) -> bool:
        """Whether it is in a live job's folder, and not one of its views."""
        if path.parent == self._store.jobs:
            return False
        return not (path.parent.parent == self._store.jobs and path.name.lstrip(".").startswith(VIEWS))

    def _watched(self) -> Iterator[Path]:
        yield self._store.jobs
        with self._lock:
            live, unready = list(self._live), list(self._unready)
        for name in live:
            folder = self._store.folder(name)
            yield from filter(_watchable, (folder.path, folder.inbox_new))
        for name in unready:
            if _watchable(path := self._store.jobs / name):
                yield path

    # --- Looking -----------------------------------------------------------------------------------------

    def _look(self) -> None:
        listing = self._listing()
        if listing is not None:
            self._forget_what_went(listing.folders)
            for name, inode in listing.folders.items():
                if name not in self._known:
                    self._look_at_new(self._store.folder(name), inode)
        for name in () if listing is not None else list(self._unready):
            self._look_at_name(name)
        with self._lock:
            live = list(self._live.items())
        for name, uid in live:
            self._look_at_live(self._store.folder(name), uid)
        if listing is not None:
            self._markers.wake(listing.woken)

    def _listing(self) -> Listing | None:
        """What is there, if that may be news: of most of it events have told, by name."""
        if self._to_list:
            self._to_list = False
            self._lister.doubt()
        elif self._hears and time.monotonic() < self._due:
            return None
        return self._lister.changed()

    def _look_at_fresh(self, changes: Iterable[Change]) -> set[str]:
        """At what has just appeared, by its name: to list all takes long where there are very many."""
        fresh: set[str] = set()
        for path in dict.fromkeys(change.path for change in changes if not change.gone):
            if path.parent != self._store.jobs or path.name in self._known or not names.is_name(path.name):
                continue
            if self._look_at_name(path.name):
                fresh.add(path.name)
        return fresh

    def _look_at_name(self, name: str) -> bool:
        """At what is no known job; whether there is a folder of that name."""
        folder = self._store.folder(name)
        with suppress(FileNotFoundError):
            found = folder.path.lstat()
            if stat.S_ISDIR(found.st_mode):
                self._look_at_new(folder, found.st_ino)
                return True
        self._unready.pop(name, None)
        return False

    def _forget_what_went(self, present: Mapping[str, int]) -> None:
        """Forget the folders that are gone, and those in whose place another one stands."""
        with self._lock:
            known = {name: place for name, place in self._known.items() if name not in self._leaving}
        for name, place in known.items():
            if name not in present or not self._is_same(name, place, present[name]):
                self._forget(name)
        for name in self._unready.keys() - present.keys():
            del self._unready[name]

    def _is_same(self, name: str, place: Place, inode: int) -> bool:
        """Whether the folder is the one that was there before.

        Some file systems give new inodes to what they have not touched for a while: a live job's folder is
        lost only when its record is not in it.
        """
        if not place.holds(inode):
            with self._lock:
                uid = self._live.get(name)
            if uid is None or not self._has_record(name, uid):
                return False
        place.inode, place.removed = inode, False
        return True

    def _has_record(self, name: str, uid: str) -> bool:
        try:
            return self._store.folder(name).read_job().uid == uid
        except (OSError, BadInput):
            return False

    def _forget(self, name: str) -> None:
        with self._lock:
            uid = self._live.pop(name, None)
            if uid is None:
                self._known.pop(name, None)
            else:
                self._leaving.add(name)
        if uid is not None:
            self._emit(JobVanished(uid=uid, at=utc_now()))

    def _look_at_live(self, folder: JobFolder, uid: str) -> None:
        if folder.cancel_asked:
            self._emit(CancelRequested(uid=uid, at=utc_now()))
        for fact in inbox.drain(folder.path, uid, utc_now()):
            self._emit(fact)

    def _look_at_new(self, folder: JobFolder, inode: int) -> None:
        unready = self._unready.setdefault(folder.name, Unready())
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
            if isinstance(error, Unfinished) and unready.quiet_for(folder.stamp()) < self._settings.settle:
                return
            self._emit(JobRefused(name=folder.name, job=job, tasks=tasks, message=str(error), at=utc_now()))
        except OSError as error:
            self._report_incomplete(folder, unready, error)
            return
        del self._unready[folder.name]
        with self._lock:
            self._known[folder.name] = Place(inode)

    def _found(self, folder: JobFolder, job: Job, tasks: tuple[Task, ...]) -> Fact:
        if job.state is JobState.WORKING:
            message = (
                f'{folder.state_file}: state: says "working", but this manager has never taken the job, so '
                f"what ran of it is not known; `air-executor reset {folder.name}` runs it from the beginning"
            )
            return JobRefused(name=folder.name, job=job, tasks=tasks, message=message, at=utc_now())
        bare = not any(map(os.path.lexists, (folder.work, folder.inbox, folder.logs)))
        owner = owner_of(folder.path)
        return JobFound(
            name=folder.name,
            job=job,
            tasks=tasks,
            owner=owner,
            at=utc_now(),
            bare=bare,
            submitted=folder.submitted,
        )

    def _report_incomplete(self, folder: JobFolder, unready: Unready, error: OSError) -> None:
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


def _watchable(folder: Path) -> bool:
    """Whether it is a folder that may be watched: a task that closes its inbox harms nobody else by that."""
    return not folder.is_symlink() and os.access(f"{folder}/.", os.R_OK)
