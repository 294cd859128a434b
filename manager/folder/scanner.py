"""What is in the jobs folder -> facts: new jobs, what is asked of live ones, folders that have gone."""

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from air_executor.clock import utc_now
from air_executor.errors import BadInput
from air_executor.format import names
from air_executor.format.documents import Unfinished
from air_executor.format.models import Job, JobState, Task
from air_executor.store import JobFolder, Store
from manager.folder.file_events import Change
from manager.folder.inbox import Inbox, Inboxes
from manager.folder.listing import Lister, Listing
from manager.folder.markers import Markers
from manager.folder.reader import Contents, Reader
from manager.folder.workspace import brings_work, owner_of
from manager.model.facts import Fact, FolderGone, JobFound, JobRefused, JobVanished
from manager.settings import Settings

log = logging.getLogger(__name__)

YOUNG = 5.0
"""Seconds for which what is no job yet is looked at whenever there is a look; later less and less often."""
LONGEST_REST = 5.0
"""Seconds for which it is not, at most."""
MAX_WATCHED = 100
"""Folders that are no jobs yet of which events are told; the others are looked at now and then."""


@dataclass
class Unready:
    """A folder that is not yet a job."""

    since: float = field(default_factory=time.monotonic)
    reported: bool = False
    stamp: object = None
    """Inodes, times and sizes of its files when they were last seen to change."""
    changed: float = 0.0
    """When that was, by the monotonic clock: the files' own times go wrong when somebody sets the clock."""
    due: float = 0.0
    """When it is looked at again, by the same clock; at once when something happens in it."""

    def rest(self) -> None:
        """It was looked at, and is no job yet. What has been so for long, will be so for longer."""
        now = time.monotonic()
        age = now - self.since
        self.due = now + (min(LONGEST_REST, age / 10) if age > YOUNG else 0)

    def quiet_for(self, stamp: object) -> float:
        """Seconds since the files were last seen to change; `stamp` is how they are now."""
        if stamp != self.stamp:
            self.stamp, self.changed = stamp, time.monotonic()
        return time.monotonic() - self.changed


@dataclass
class Place:
    """A folder that is known, told from another one that takes its name later."""

    inode: int | None = None
    """None until it was seen."""
    removed: bool = False
    """Whether it went, although a folder of that name may be there again, and with the same inode."""

    def may_be(self, inode: int) -> bool:
        """Whether the folder of that inode may be this one."""
        return not self.removed and self.inode in (inode, None)


class Places:
    """The folders that are known: those that have been told of, and those of ended jobs. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Place] = {}
        self._live: dict[str, str] = {}
        """Uids of the jobs that are followed, by name."""
        self._leaving: set[str] = set()
        """Names whose folder went while their job was live: free again when the job has ended."""

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def follow(self, name: str, uid: str) -> None:
        """The job is live."""
        with self._lock:
            self._live[name] = uid
            self._known.setdefault(name, Place())

    def unfollow(self, name: str, uid: str) -> bool:
        """The job has ended. Returns whether its name is free again, for its folder had gone before."""
        with self._lock:
            if self._live.get(name) == uid:
                del self._live[name]
            if name not in self._leaving:
                return False
            self._leaving.discard(name)
            self._known.pop(name, None)
            return True

    def replaced(self, name: str) -> None:
        """The folder of that name is not the followed job's; it comes after it."""
        with self._lock:
            self._known[name] = Place(removed=True)

    def add(self, name: str, inode: int) -> None:
        """The folder has been told of, or its job has ended."""
        with self._lock:
            self._known[name] = Place(inode)

    def lose(self, name: str) -> str | None:
        """The folder has gone. Returns the uid of its job, where that is live; its name stays taken then."""
        with self._lock:
            uid = self._live.pop(name, None)
            if uid is None:
                self._known.pop(name, None)
            else:
                self._leaving.add(name)
            return uid

    def known(self) -> dict[str, Place]:
        """All of them."""
        with self._lock:
            return dict(self._known)

    def standing(self) -> dict[str, Place]:
        """Those that have not gone yet, as far as that is known."""
        with self._lock:
            return {name: place for name, place in self._known.items() if name not in self._leaving}

    def ended(self) -> set[str]:
        """Those whose job is not live."""
        with self._lock:
            return self._known.keys() - self._live.keys() - self._leaving

    def live(self) -> dict[str, str]:
        """The uids of live jobs, by name."""
        with self._lock:
            return dict(self._live)

    def uid(self, name: str) -> str | None:
        """The uid of the live job of that name."""
        with self._lock:
            return self._live.get(name)


class Scanner:
    """Looks when it is told to, and tells what it finds through `emit`. For one thread, but for `doubt`."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        places: Places,
        inboxes: Inboxes,
        emit: Callable[[Fact], None],
        wake: Callable[[], None],
    ) -> None:
        """`wake` is called, from any thread, when a look would find more."""
        self._store = store
        self._running = inboxes
        """Those of running containers."""
        self._settings = settings
        self._places = places
        self._emit = emit
        self._markers = Markers(store, emit)
        self._lister = Lister(store.jobs)
        self._reader = Reader(settings.bounds, wake)
        self._inboxes: dict[str, Inbox] = {}
        """Those of live jobs, by uid."""
        self._unready: dict[str, Unready] = {}
        self._known_before: Mapping[str, Place] = {}
        """The folders that were known when events were last asked for: what these tell has happened since."""

    # --- What events tell --------------------------------------------------------------------------------

    def doubt(self) -> None:
        """Something may have come or gone that no event tells of by name: the next look lists all folders."""
        self._lister.doubt()

    @property
    def in_doubt(self) -> bool:
        """Whether the next look lists all folders."""
        return self._lister.in_doubt

    @property
    def has_unready(self) -> bool:
        """Whether there are folders that are no jobs yet."""
        return bool(self._unready)

    @property
    def inboxes_rest(self) -> float | None:
        """Seconds until an inbox may be looked at again that rests; None where none does."""
        return min((inbox.rest for inbox in self._all_inboxes() if inbox.rest > 0), default=None)

    def watched(self) -> Iterator[Path]:
        """The folders to be watched: that of all jobs, those of live jobs, and of what is no job yet.

        Not an inbox that rests: of what happens in it meanwhile, nothing is told.
        """
        yield self._store.jobs
        for name, uid in self._places.live().items():
            folder = self._store.folder(name)
            inbox = self._inbox(folder, uid)
            yield from filter(_watchable, [folder.path, *([inbox.new] if inbox.rest <= 0 else [])])
        for name in islice(list(self._unready), MAX_WATCHED):
            if _watchable(path := self._store.jobs / name):
                yield path

    def watched_inboxes(self) -> Iterator[Path]:
        """Likewise, the inboxes of running containers."""
        return filter(_watchable, (inbox.new for inbox in self._running.all() if inbox.rest <= 0))

    def events_begin(self) -> None:
        """Events are told from here on; of what happened before, nobody has told."""
        self._known_before = self._places.known()
        self.doubt()

    def heed(self, changes: Iterable[Change]) -> set[str]:
        """Note which known folders went, and look at those that have appeared. Returns the latter's names.

        They are looked at by name, because to list all takes long where there are very many.
        """
        for path in (change.path for change in changes if change.gone):
            if path.parent == self._store.jobs and path.name in self._known_before:
                self._known_before[path.name].removed = True
        self._note_where(changes)
        appeared = dict.fromkeys(change.path for change in changes if not change.gone)
        seen = {path.name for path in appeared if self._may_be_new(path) and self._look_at_name(path.name)}
        self._known_before = self._places.known()
        return seen

    def _note_where(self, changes: Iterable[Change]) -> None:
        """Whatever happens in an inbox, takes of its time; what may be a job now, is looked at."""
        places = {path for change in changes for path in (change.path, change.path.parent)}
        for inbox in self._all_inboxes():
            if inbox.new in places:
                inbox.disturb()
        for name in {path.name for path in places} & self._unready.keys():
            self._unready[name].due = 0.0

    def _may_be_new(self, path: Path) -> bool:
        return path.parent == self._store.jobs and path.name not in self._places and names.is_name(path.name)

    # --- Looking -----------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look at live jobs and at what is no job yet; at all folders only where there is doubt."""
        self._look(self._lister.changed() if self._lister.in_doubt else None)

    def look_everywhere(self) -> None:
        """Look at all that may have changed, told of by an event or not."""
        self._look(self._lister.changed())

    def look_at_inboxes(self) -> None:
        """Tell what running commands ask for."""
        for fact in self._running.drain(utc_now()):
            self._emit(fact)

    def look_at_ended(self) -> None:
        """Look whether something is asked of ended jobs: at some of them, and the next time at others."""
        self._markers.poll(self._places.ended())

    def _look(self, listing: Listing | None) -> None:
        if listing is None:
            for name in list(self._unready):
                self._look_at_name(name)
        else:
            self._look_at_all(listing.folders)
        live = self._places.live()
        for name, uid in live.items():
            self._look_at_live(self._store.folder(name), uid)
        self.look_at_inboxes()
        for uid in self._inboxes.keys() - live.values():
            del self._inboxes[uid]
        if listing is not None:
            self._markers.wake(listing.woken)

    def _look_at_all(self, present: Mapping[str, int]) -> None:
        self._forget_what_went(present)
        for name, inode in present.items():
            if name not in self._places:
                self._look_at_new(self._store.folder(name), inode)

    def _look_at_name(self, name: str) -> bool:
        """Look at what is no known job; returns whether there is a folder of that name."""
        folder = self._store.folder(name)
        with suppress(FileNotFoundError):
            found = folder.path.lstat()
            if stat.S_ISDIR(found.st_mode):
                self._look_at_new(folder, found.st_ino)
                return True
        self._forget_unready(name)
        return False

    def _look_at_live(self, folder: JobFolder, uid: str) -> None:
        self._markers.look_at_live(folder, uid)
        for fact in self._inbox(folder, uid).drain(uid, utc_now()):
            self._emit(fact)

    def _all_inboxes(self) -> list[Inbox]:
        return [*self._inboxes.values(), *self._running.all()]

    def _inbox(self, folder: JobFolder, uid: str) -> Inbox:
        """The one that remembers what it has told."""
        return self._inboxes.setdefault(uid, Inbox.of_job(folder.path))

    # --- What went ---------------------------------------------------------------------------------------

    def _forget_what_went(self, present: Mapping[str, int]) -> None:
        """Forget the folders that are gone, and those in whose place another one stands."""
        for name, place in self._places.standing().items():
            if name not in present or not self._is_same(name, place, present[name]):
                self._forget(name)
        for name in self._unready.keys() - present.keys():
            self._forget_unready(name)

    def _forget_unready(self, name: str) -> None:
        self._unready.pop(name, None)
        self._reader.forget(name)

    def _is_same(self, name: str, place: Place, inode: int) -> bool:
        """Whether the folder is the one that was there before.

        Some file systems give new inodes to what they have not touched for a while: a live job's folder is
        lost only when its record is not in it.
        """
        if not place.may_be(inode):
            uid = self._places.uid(name)
            if uid is None or not self._has_record(name, uid):
                return False
        place.inode, place.removed = inode, False
        return True

    def _has_record(self, name: str, uid: str) -> bool:
        try:
            return self._store.folder(name).read_job(self._settings.bounds).uid == uid
        except (OSError, BadInput):
            return False

    def _forget(self, name: str) -> None:
        uid = self._places.lose(name)
        if uid is None:
            self._emit(FolderGone(name=name, at=utc_now()))
        else:
            self._emit(JobVanished(uid=uid, at=utc_now()))

    # --- What is new -------------------------------------------------------------------------------------

    def _look_at_new(self, folder: JobFolder, inode: int) -> None:
        """Tell of the job in the folder, or why it can't be one; unless somebody is still writing it."""
        unready = self._unready.setdefault(folder.name, Unready())
        if unready.due > time.monotonic():
            return
        contents = self._reader.contents(folder)
        if contents is None:
            return
        unready.rest()
        if self._told(folder, unready, contents):
            self._forget_unready(folder.name)
            self._places.add(folder.name, inode)

    def _told(self, folder: JobFolder, unready: Unready, contents: Contents) -> bool:
        """Whether what was read could be told: a job, or why it can't be one."""
        job, problem = contents.job, contents.problem
        match problem:
            case Unfinished() if unready.quiet_for(folder.stamp()) < self._settings.settle:
                return False
            case BadInput():
                self._emit(JobRefused(name=folder.name, job=job, message=str(problem), at=utc_now()))
            case OSError():
                self._report_incomplete(folder, unready, problem)
                return False
            case None if job is not None and not job.state.ended:
                try:
                    self._emit(self._found(folder, job, contents.tasks))
                except OSError as error:
                    self._report_incomplete(folder, unready, error)
                    return False
        return True

    def _found(self, folder: JobFolder, job: Job, tasks: tuple[Task, ...]) -> Fact:
        if job.state is JobState.WORKING:
            message = (
                f'{folder.state_file}: state: says "working", but this manager has never taken the job, so '
                f"what ran of it is not known; `air-executor reset {folder.name}` runs it from the beginning"
            )
            return JobRefused(name=folder.name, job=job, message=message, at=utc_now())
        return JobFound(
            name=folder.name,
            job=job,
            tasks=tasks,
            owner=owner_of(folder.path),
            at=utc_now(),
            bare=not brings_work(folder.path),
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
    """Whether it is a folder that may be watched: a task may have put a link there, or closed it to us."""
    return not folder.is_symlink() and os.access(f"{folder}/.", os.R_OK)
