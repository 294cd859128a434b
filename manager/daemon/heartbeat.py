"""Tells in `manager.json` that the manager is there, since when, and how busy it is."""

import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from air_executor.clock import utc_now
from air_executor.daemon import STATUS, ManagerStatus, process_of
from air_executor.files import Create, Readers, write_whole

log = logging.getLogger(__name__)

SHORTEST = 0.5
LONGEST = 5.0
"""Seconds between two writes: when something changes, and when nothing does."""


class Heartbeat:
    """Writes in a thread of its own, so that a slow disk delays no task."""

    def __init__(
        self,
        home: Path,
        max_runners: int,
        engine: Callable[[], str],
        pulling: Callable[[], tuple[str, ...]],
        readers: Callable[[], Readers],
        spend: Callable[[Callable[[Create], None]], None],
    ) -> None:
        """`spend` has something written that must be, also on a full disk."""
        self._file = home / STATUS
        self._readers = readers
        self._process = process_of(os.getpid())
        self._max_runners = max_runners
        self._engine = engine
        self._pulling = pulling
        self._spend = spend
        self._started_at = utc_now()
        self._runners = 0
        self._problem: str | None = None
        self._written: tuple[int, str | None, str, tuple[str, ...]] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def update(self, runners: int, problem: str | None) -> None:
        """How many runners are in use now, and why work stands still, if it does."""
        self._runners = runners
        self._problem = problem

    def stop(self) -> None:
        """Write that the manager is gone, and no more."""
        self._stopping.set()
        self._thread.join(1)
        self._write(0, None, self._engine(), (), stopped=True)

    def _run(self) -> None:
        idle = LONGEST
        while not self._stopping.is_set():
            now = (self._runners, self._problem, self._engine(), self._pulling())
            if now != self._written or idle >= LONGEST:
                self._write(*now)
                self._written, idle = now, 0.0
            self._stopping.wait(SHORTEST)
            idle += SHORTEST

    def _write(
        self,
        runners: int,
        problem: str | None,
        engine: str,
        pulling: tuple[str, ...],
        *,
        stopped: bool = False,
    ) -> None:
        status = ManagerStatus(
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at=self._started_at,
            updated_at=utc_now(),
            runners=runners,
            max_runners=self._max_runners,
            engine=engine,
            problem=problem,
            pulling=pulling,
            process=self._process,
            stopped=stopped,
        )
        text = status.model_dump_json(indent=2) + "\n"
        news = self._written is not None and (problem is None) != (self._written[1] is None)
        try:
            if news:  # why work stands still, people must be able to read
                self._spend(lambda create: write_whole(self._file, text, self._readers(), create))
            else:
                write_whole(self._file, text, self._readers())
        except OSError as error:
            log.error("%s can't be written: %s", self._file, error)
