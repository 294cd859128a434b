"""When to look at the jobs folder: woken by file events, with polling as the safety net."""

import logging
import threading
import time
from collections.abc import Callable, Collection

from air_executor.format import layout
from air_executor.store import WAKE, Store, make_jobs
from manager.folder.file_events import Change, FileEvents, NoFileEvents
from manager.folder.inbox import Inboxes
from manager.folder.scanner import Places, Scanner
from manager.model.facts import Fact, Tick
from manager.settings import Settings

log = logging.getLogger(__name__)

GATHERING = 0.01
"""Seconds after a look in which events gather: the first is heeded at once, and of many not each alone."""
VIEWS = (layout.STATE, layout.TASKS)
HALF_WRITTEN_LOOK = 0.5
"""Seconds between two looks at a folder that somebody is still writing."""

RETRY_PAUSE = 0.05
"""Seconds after which what has just gone is looked for again: where it is the jobs folder, it stays away."""


class Watcher:
    """Lets a scanner look, in a thread of its own; what it finds is told through `emit`."""

    def __init__(
        self, store: Store, settings: Settings, inboxes: Inboxes, emit: Callable[[Fact], None]
    ) -> None:
        self._jobs = store.jobs
        self._poll_interval = settings.poll_interval
        self._emit = emit
        self._places = Places()
        self._scanner = Scanner(store, settings, self._places, inboxes, emit, self._rouse)
        self._next_poll = 0.0
        """When it is due, by the monotonic clock."""
        self._events: FileEvents | None = None
        """None before there are any; closed where they can't be had."""
        self._warned = False
        """Whether it was said that file events can't be had."""
        self._roused = False
        """Whether other folders are live than when these were last looked at."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        make_jobs(self._jobs)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping = True
        self._rouse()

    def follow(self, name: str, uid: str) -> None:
        """The job is live: tell of its cancel marker, its inbox, and when its folder goes."""
        self._places.follow(name, uid)
        self._rouse()

    def replaced(self, name: str) -> None:
        """The folder of that name is not the followed job's; it comes after it."""
        self._places.replaced(name)

    def unfollow(self, name: str, uid: str) -> None:
        """The job has ended."""
        if self._places.unfollow(name, uid):
            self._scanner.doubt()
        self._rouse()

    def _rouse(self) -> None:
        """Let the thread look at the live folders. Without file events it looks at all once a second."""
        self._roused = True
        if self._events is not None:
            self._events.wake()

    # --- The thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._listen()
            except FileNotFoundError:  # a folder went away while it was looked at
                time.sleep(RETRY_PAUSE)
            except Exception:
                log.exception("looking at %s failed; trying again", self._jobs)
                time.sleep(1)

    def _listen(self) -> None:
        try:
            with FileEvents() as self._events:
                self._watch(self._events)
        except NoFileEvents as error:  # the machine's limit of watches, among others
            self._look_without_events(error)

    def _watch(self, events: FileEvents) -> None:
        """Look whenever something happens, or a poll is due."""
        self._scanner.events_begin()
        pause = 0.0
        while not self._stopping:
            changes = events.wait(pause)
            seen = self._scanner.heed(changes)
            if any(self._calls_for_a_list(change, seen) for change in changes):
                self._scanner.doubt()
            # Watched first: what happens from here on is noticed, and what happened before is seen. So what a
            # look has found to be watched is looked at once more.
            due = self._watch_more(events) or self._is_look_due(changes, waited=pause > 0)
            if due:
                self._look()
            if due or seen:
                time.sleep(GATHERING)
            pause = 0.0 if due else self._until_next_look()

    def _watch_more(self, events: FileEvents) -> bool:
        """Whether a folder of a job is watched that was not, or one of them has gone."""
        inboxes = set(self._scanner.watched_inboxes())
        try:
            fresh = events.watch([*self._scanner.watched(), *inboxes])
        except FileNotFoundError:  # between listing and watching it
            time.sleep(RETRY_PAUSE)
            return True
        if self._jobs in fresh:  # it is another one: nobody has told of what is in it
            self._scanner.doubt()
        if fresh & inboxes:
            self._scanner.look_at_inboxes()
        return bool(fresh - inboxes)

    def _look(self) -> None:
        self._roused = False
        if self._is_poll_due():
            self._scanner.look_everywhere()
            self._poll()
        else:
            self._scanner.look()

    def _look_without_events(self, error: Exception) -> None:
        """Polling is the safety net for this as well."""
        if not self._warned:
            log.warning("no file events: %s; looking once a second", error)
        self._warned = True
        self._scanner.look_everywhere()
        if self._is_poll_due():
            self._poll()
        time.sleep(1)

    def _poll(self) -> None:
        """After a look: what is put right at a tick must not be put into a folder that is another by now."""
        self._next_poll = time.monotonic() + self._poll_interval
        self._scanner.look_at_ended()
        self._emit(Tick())

    # --- When to look ------------------------------------------------------------------------------------

    def _is_poll_due(self) -> bool:
        return self._next_poll <= time.monotonic()

    def _until_next_look(self) -> float:
        """Seconds to the next look when nothing happens."""
        waits = [self._next_poll - time.monotonic()]
        if self._scanner.has_unready:
            waits.append(HALF_WRITTEN_LOOK)
        if (rest := self._scanner.inboxes_rest) is not None:
            waits.append(rest)
        return min(waits)

    def _is_look_due(self, changes: Collection[Change], waited: bool) -> bool:
        """Not when all that changed are the views that the manager writes itself, or what is no job."""
        if self._roused or self._scanner.in_doubt or self._is_poll_due():
            return True
        if self._scanner.has_unready and (changes or waited):
            return True
        return any(self._is_inside(change) for change in changes)

    def _calls_for_a_list(self, change: Change, seen: Collection[str]) -> bool:
        """Whether all folders are to be listed; not for one that was seen, by its name, when it appeared."""
        path = change.path
        if path.parent != self._jobs:
            return path == self._jobs
        if path.name.startswith("."):
            return path.name.startswith(WAKE)
        return change.gone or path.name not in seen

    def _is_inside(self, change: Change) -> bool:
        """Whether it is in a live job's folder, and not one of its views; or something new in an inbox."""
        path = change.path
        if path.parent == self._jobs:
            return False
        if self._jobs not in path.parents:  # in a container's inbox, which goes with its container
            return not change.gone
        return not (path.parent.parent == self._jobs and path.name.lstrip(".").startswith(VIEWS))
