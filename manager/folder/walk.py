"""A walk through all that is in a folder, however deep it is and whoever moves its folders about meanwhile.

What tasks write is hostile: no link is followed, one handle is open, and a walk goes on step by step, so that
whoever walks can rest and stop.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from air_executor.untrusted import FOLDER
from manager.folder import removal


class Step(NamedTuple):
    """What a walk has come to: its name in the folder that is open, and its status."""

    folder: int
    name: str
    status: os.stat_result


@dataclass(slots=True)
class _Level:
    """A folder that a walk is in or below."""

    name: str
    identity: tuple[int, int]
    ahead: list[str]
    """Folders in it that were not entered yet."""


class Walk:
    """A walk through a folder and everything below it, with one handle however deep it is."""

    def __init__(self, place: Path, enters: Callable[[Sequence[str]], bool] | None = None) -> None:
        """`enters`: whether it goes on below the folder to which these names lead; everywhere, as a rule.

        Raises OSError where `place` is no folder.
        """
        self._place = place.absolute()
        self._enters = enters
        self._handle = os.open(place, FOLDER)
        self._levels: list[_Level] = []

    @property
    def way(self) -> tuple[str, ...]:
        """The names that lead to the folder that is open."""
        return tuple(level.name for level in self._levels[1:])

    def steps(self) -> Iterator[Step | None]:
        """The folder itself and each name below it, a folder before what is in it; None for other steps.

        A step holds until the next one is asked for.
        """
        yield Step(self._handle, ".", os.fstat(self._handle))
        yield from self._list("")
        while self._levels:
            ahead = self._levels[-1].ahead
            if not ahead:
                yield from self._leave()
            elif self._enter(name := ahead.pop()):
                yield from self._list(name)
            yield None

    def close(self) -> None:
        """Look no further."""
        os.close(self._handle)

    def _list(self, name: str) -> Iterator[Step | None]:
        level = _Level(name, _identity(self._handle), [])
        self._levels.append(level)
        way = self.way if self._enters else ()
        with suppress(OSError), os.scandir(self._handle) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    yield None
                    continue
                if stat.S_ISDIR(status.st_mode) and (not self._enters or self._enters((*way, entry.name))):
                    level.ahead.append(entry.name)
                yield Step(self._handle, entry.name, status)

    def _opened(self, name: str) -> int:
        """What its owner has closed to itself hides nothing from a manager that runs as the same user."""
        try:
            return os.open(name, FOLDER, dir_fd=self._handle)
        except PermissionError:
            if not removal.allow_us(name, self._handle):
                raise
            return os.open(name, FOLDER, dir_fd=self._handle)

    def _enter(self, name: str, known: tuple[int, int] | None = None) -> bool:
        """Go there, where it is a folder; only if it is the one that is `known`, where one is."""
        try:
            inner = self._opened(name)
        except OSError:  # gone, or something else
            return False
        if known is not None and _identity(inner) != known:
            os.close(inner)
            return False
        os.close(self._handle)
        self._handle = inner
        return True

    def _leave(self) -> Iterator[None]:
        self._levels.pop()
        if self._levels and not self._enter("..", self._levels[-1].identity):
            yield from self._find_back()

    def _find_back(self) -> Iterator[None]:
        """Somebody has moved the folder where we were: go on in the deepest that is where it was."""
        for depth, level in enumerate(self._levels):
            if not self._enter(level.name if depth else str(self._place), level.identity):
                del self._levels[depth:]
                return
            yield None


def _identity(handle: int) -> tuple[int, int]:
    status = os.fstat(handle)
    return status.st_dev, status.st_ino
