"""Which images are being fetched just now: for the log, and for `air-executor status`."""

import logging
import threading

from air_executor.report import one_line
from manager.engine.contract import Pull

log = logging.getLogger(__name__)

LOG_EVERY = 5.0
"""Seconds between two lines about the same image."""


class Pulls:
    """The engine tells it of each pull. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[str, Pull] = {}
        self._logged: dict[str, float] = {}

    def tell(self, pull: Pull) -> None:
        """Take in how far a pull is, and log it now and then."""
        if pull.ended:
            self._end(pull)
        elif self._note(pull):
            log.info("image=%s pulling: %s", pull.image, _so_far(pull))

    def texts(self) -> tuple[str, ...]:
        """How far each image is, in the order in which they were asked for."""
        with self._lock:
            return tuple(f"{pull.image}: {_so_far(pull)}" for pull in self._latest.values())

    def _note(self, pull: Pull) -> bool:
        """Keep it; whether it is time for another line about its image."""
        with self._lock:
            due = pull.image not in self._logged or pull.seconds - self._logged[pull.image] >= LOG_EVERY
            self._latest[pull.image] = pull
            if due:
                self._logged[pull.image] = pull.seconds
            return due

    def _end(self, pull: Pull) -> None:
        with self._lock:
            self._latest.pop(pull.image, None)
            self._logged.pop(pull.image, None)
        if pull.problem is None:
            log.info("image=%s pulled in %.1f s: %s", pull.image, pull.seconds, _so_far(pull))
        else:
            log.warning(
                "image=%s not pulled after %.1f s: %s", pull.image, pull.seconds, one_line(pull.problem)
            )


def _so_far(pull: Pull) -> str:
    if not pull.layers:
        return "nothing yet"
    layers = f"{pull.layers_done} of {pull.layers} layers"
    return f"{layers}, {_mb(pull.bytes_done)} of {_mb(pull.bytes)} MB" if pull.bytes else layers


def _mb(size: int) -> str:
    """With one decimal where it is small, so that it is not shown as 0."""
    return f"{size / 1e6:.0f}" if size >= 10e6 else f"{size / 1e6:.1f}"
