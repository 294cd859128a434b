"""Watches what jobs that run have on the disk, and tells of one that has more than it may.

The kernel bounds each file that a task writes; that it writes many, only a look can tell. How much is free on
the whole file system costs microseconds to ask: when that has fallen by a tenth of what one job may have, the
jobs are looked at; and now and then in any case, for what one job writes another may delete.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from air_executor.clock import utc_now
from manager.core.live_job import LiveJob
from manager.daemon.disk import MIB, Disk, Free
from manager.daemon.reserve import Reserve
from manager.folder.usage import NOTHING, Look, Survey, Usage
from manager.model.facts import (
    ContainerRemoved,
    ContainerVoided,
    DiskExceeded,
    Fact,
    JobFact,
    TaskClaimed,
)
from manager.model.home import Home
from manager.settings import Settings

GLANCE = 0.25
"""Seconds between two questions of how much is free."""
INTERVAL = 30.0
"""Seconds after which jobs are looked at although little was written."""
SHARE = 10
"""What may be written before jobs are looked at: one in so many of what one job may have."""
STEPS = 1000
"""Names that are looked at in one go: some 5 ms."""
PAUSE = 0.01
"""Seconds between two goes: 60,000 names in a second, a third of a processor."""
REST = 1
"""After a look there is none for so many times as long as it took."""
SURVEY = 0.05
"""Seconds of each glance for which it is found out who has filled a disk that is full."""
SURVEY_AGAIN = 60.0
"""Seconds after which that is found out again."""


class _Space(NamedTuple):
    """Scratch space of a container that is there."""

    folder: Path
    place: str
    size_mb: int


@dataclass(slots=True)
class _Watched:
    """A job that is watched, and what it had at the last look."""

    uid: str
    places: tuple[Path, ...]
    spaces: tuple[_Space, ...] = ()
    """Scratch space, which has bounds of its own."""
    usage: Usage = NOTHING
    told: bool = False


class DiskWatch:
    """Looks in a thread of its own; what it is told of jobs comes from the supervisor's."""

    def __init__(
        self, home: Home, settings: Settings, disk: Disk, reserve: Reserve, emit: Callable[[Fact], None]
    ) -> None:
        self._home = home
        self._settings = settings
        self._most = Usage(settings.job_disk_mb * MIB, settings.job_inodes)
        self._disk = disk
        self._reserve = reserve
        self._emit = emit
        self._jobs: dict[str, _Watched] = {}
        self._before: Free | None = None
        """What was free at the last look, or since, where that is more."""
        self._resting_until = 0.0
        self._due = 0.0
        self._survey: Survey | None = None
        self._survey_due = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disk watch", daemon=True)

    def start(self) -> None:
        """Make the reserve, and begin to watch."""
        self._keep_reserve()
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopping.set()
        self._thread.join(1)

    def follow(self, job: LiveJob) -> None:
        """Watch this job, where it is now; its containers come and go."""
        places = _places(self._home, job)
        known = self._jobs.setdefault(job.uid, _Watched(job.uid, places))
        known.places, known.spaces = places, _spaces(self._home, job)

    def observe(self, job: LiveJob, fact: JobFact) -> None:
        """Something has changed the job."""
        if job.job.state.ended:
            self._jobs.pop(job.uid, None)
        elif job.uid not in self._jobs or isinstance(fact, TaskClaimed | ContainerVoided | ContainerRemoved):
            self.follow(job)

    # --- In its thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.wait(GLANCE):
            self._keep_reserve()
            self._name_who_filled_it()
            if self._jobs and self._is_time():
                self._look_at_jobs()

    def _is_time(self) -> bool:
        now = time.monotonic()
        return now >= self._resting_until and (self._has_fallen() or now >= self._due)

    def _has_fallen(self) -> bool:
        """Whether much less is free than before."""
        free = self._free()
        if free is None or self._before is None:
            return False
        self._before = before = self._before.or_more(free)
        written = before.bytes - free.bytes > self._least() / SHARE
        made = (before.inodes or 0) - (free.inodes or 0) > self._most.inodes / SHARE
        return written or made

    def _least(self) -> int:
        """Bytes of what has the lowest bound: all that a job has, or scratch space of one."""
        spaces = (space for job in list(self._jobs.values()) for space in job.spaces)
        return min((space.size_mb * MIB for space in spaces), default=self._most.bytes)

    def _look_at_jobs(self) -> None:
        """Those with few files first: they are looked at in no time."""
        began, self._before = time.monotonic(), self._free()
        for job in sorted(self._jobs.values(), key=lambda job: job.usage.inodes):
            self._look_at(job)
        now = time.monotonic()
        self._resting_until = now + REST * (now - began)
        self._due = now + INTERVAL

    def _look_at(self, job: _Watched) -> None:
        look = Look(job.places)
        while look.go_on(STEPS) and not self._exceeds(look.usage) and not self._stopping.wait(PAUSE):
            pass
        job.usage = look.usage
        if self._exceeds(job.usage) and not job.told:
            job.told = True
            self._emit(self._excess(job))
        for space in job.spaces if not job.told else ():
            self._look_into(space, job)

    def _look_into(self, space: _Space, job: _Watched) -> None:
        look = Look([space.folder])
        while (
            look.go_on(STEPS) and look.usage.bytes <= space.size_mb * MIB and not self._stopping.wait(PAUSE)
        ):
            pass
        used = -(-look.usage.bytes // MIB)
        if used > space.size_mb and not job.told:
            job.told = True
            self._emit(
                DiskExceeded(
                    uid=job.uid,
                    setting="scratch",
                    unit="MiB",
                    limit=space.size_mb,
                    used=used,
                    scratch=space.place,
                    at=utc_now(),
                )
            )

    def _exceeds(self, usage: Usage) -> bool:
        return usage.bytes > self._most.bytes or usage.inodes > self._most.inodes

    def _excess(self, job: _Watched) -> DiskExceeded:
        if job.usage.bytes > self._most.bytes:
            setting, unit, used = "job_disk_mb", "MiB", -(-job.usage.bytes // MIB)
        else:
            setting, unit, used = "job_inodes", "files and folders", job.usage.inodes
        limit = getattr(self._settings, setting)
        return DiskExceeded(uid=job.uid, setting=setting, unit=unit, limit=limit, used=used, at=utc_now())

    def _free(self) -> Free | None:
        with suppress(OSError):
            return Free.of(self._home.path)
        return None

    # --- When it is full ---------------------------------------------------------------------------------

    def _keep_reserve(self) -> None:
        """Have the reserve whole again, once there is room for that and for all that must be free."""
        if self._reserve.whole:
            return
        free = self._free()
        if free is None or free.bytes < self._settings.min_free_mb * MIB + self._reserve.size:
            return
        if free.inodes is None or free.inodes >= self._settings.min_free_inodes + self._reserve.files:
            self._reserve.fill()

    def _name_who_filled_it(self) -> None:
        if self._disk.shortage is None:
            self._survey, self._survey_due, self._disk.filled_by = None, 0.0, ""
            return
        if self._survey is None and time.monotonic() >= self._survey_due:
            self._survey = Survey(self._home, self._most.inodes)
        if self._survey is not None and not self._survey.go_on(SURVEY):
            self._disk.filled_by = self._survey.words
            self._survey, self._survey_due = None, time.monotonic() + SURVEY_AGAIN


def _spaces(home: Home, job: LiveJob) -> tuple[_Space, ...]:
    attempts = (job.tasks[task_id].attempts[-1] for task_id in job.live)
    return tuple(
        _Space(home.gate(attempt.container.name).scratch(number), each.place, each.size_mb)
        for attempt in attempts
        if attempt.grant is not None
        for number, each in enumerate(attempt.grant.scratch)
        if each.on == "disk"
    )


def _places(home: Home, job: LiveJob) -> tuple[Path, ...]:
    attempts = (job.tasks[task_id].attempts[-1] for task_id in job.live)
    gates = (home.gate(each.warm or each.container.name) for each in attempts)
    return home.filled_by(job.name, job.job.work_folder, gates)
