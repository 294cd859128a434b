"""Reads what is in a folder that may be a job: what is small at once, what is large in its own thread.

So nobody's small job waits until somebody's large one has been read, whatever is in it. One is read at a
time, within the operator's bounds: those bound what it may take in memory.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from air_executor.errors import BadInput
from air_executor.format.limits import Bounds
from air_executor.format.models import Job, Task
from air_executor.store import JobFolder

log = logging.getLogger(__name__)

SMALL = 256 << 10
"""Bytes of both files, those of some 800 tasks, that are read at once: in a few hundredths of a second."""


@dataclass(frozen=True)
class Contents:
    """What was in a folder."""

    stamp: object
    """Which files that were."""
    job: Job | None = None
    tasks: tuple[Task, ...] = ()
    problem: BadInput | OSError | None = None
    """Why the rest is missing, where it is."""


class Reader:
    """For one thread. `wake` is called, in another one, when something large has been read."""

    def __init__(self, bounds: Bounds, wake: Callable[[], None]) -> None:
        self._bounds = bounds
        self._wake = wake
        self._thread = ThreadPoolExecutor(1, "reader")
        self._reading: dict[str, Future[Contents]] = {}

    def contents(self, folder: JobFolder) -> Contents | None:
        """What is in the folder; None while that is being read: ask again when woken."""
        reading = self._reading.get(folder.name)
        if reading is None:
            return self._begin(folder)
        if not reading.done():
            return None
        del self._reading[folder.name]
        found = reading.result()
        return found if found.stamp == folder.stamp() else None

    def _begin(self, folder: JobFolder) -> Contents | None:
        if folder.size <= SMALL:
            found = _contents(folder, replace(self._bounds, bytes=min(SMALL, self._bounds.bytes)))
            if folder.size <= SMALL:  # else it has grown just now
                return found
        reading = self._reading[folder.name] = self._thread.submit(_contents, folder, self._bounds)
        reading.add_done_callback(lambda _: self._wake())
        return None

    def forget(self, name: str) -> None:
        """The folder has gone."""
        reading = self._reading.pop(name, None)
        if reading is not None:
            reading.cancel()


def _contents(folder: JobFolder, bounds: Bounds) -> Contents:
    """The tasks of a job that has ended are not read."""
    stamp, job = folder.stamp(), None
    try:
        job = folder.read_job(bounds)
        tasks = () if job.state.ended else folder.read_tasks(bounds)
    except (BadInput, OSError) as error:  # without what it was seen in: that holds the whole document
        error.__context__ = None
        return Contents(stamp, job, problem=error.with_traceback(None))
    except Exception as error:  # whatever it is, it must not stop the others from being read
        log.exception("job=%s can't be read", folder.name)
        return Contents(stamp, job, problem=BadInput(f"can't be read: {error!r}", where=folder.path))
    return Contents(stamp, job, tasks)
