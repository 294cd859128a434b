"""The files below a work folder that fit the patterns of a task, each with its size and what is in it.

What tasks write is hostile: no link is followed, only regular files are read, and a look goes on step by
step, a name or a piece of a file each, so that whoever looks can rest and stop.
"""

import hashlib
import os
import stat
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from air_executor.errors import BadInput, quoted
from air_executor.format.fields import is_encodable
from air_executor.format.limits import MAX_WORD
from air_executor.format.outputs import MAX_PARTS, Pattern
from air_executor.format.results import OutputFile
from air_executor.untrusted import NotRegular, opened_file
from manager.folder.trouble import TRANSIENT
from manager.folder.walk import Step, Walk

MAX_FILES = 1000
"""Of one task."""
PIECE = 1 << 20
"""Bytes that are read at once."""
TRIES = 3
"""How often a file is read that changes meanwhile."""
MIB = 1 << 20


class _Level(NamedTuple):
    """A folder on the way, and how far its path has come in each pattern."""

    name: str
    places: tuple[frozenset[int], ...]


class Search:
    """One look for the outputs of a task, as far as it has got."""

    def __init__(self, work: Path, patterns: Sequence[str], most_mb: int) -> None:
        """All of them together may have `most_mb` MiB."""
        self._work = work
        self._patterns = [Pattern(text) for text in patterns]
        self._missing = dict.fromkeys(patterns)
        self._found: dict[str, OutputFile] = {}
        self._most_mb = most_mb
        self._left = most_mb * MIB
        self._levels = [_Level("", tuple(each.start for each in self._patterns))]
        """The folder where the walk is, and those that it is in, as far as they were asked for."""

    def steps(self) -> Iterator[None]:
        """Look for them. Raises BadInput, and OSError for a TRANSIENT error."""
        walk = Walk(self._work, self._goes_on)
        try:
            for step in walk.steps():
                if step is not None and stat.S_ISREG(step.status.st_mode):
                    yield from self._look_at(step, walk.way)
                yield None
        finally:
            walk.close()
        if self._missing:
            raise BadInput(
                f"no file below /work fits {', '.join(map(quoted, self._missing))}: the task has to make what"
                " it promises, as a regular file",
                field="outputs",
            )

    @property
    def files(self) -> tuple[OutputFile, ...]:
        """What was found, by path."""
        return tuple(sorted(self._found.values(), key=lambda file: file.path))

    def _goes_on(self, way: Sequence[str]) -> bool:
        """Whether something in that folder may fit."""
        if len(way) >= MAX_PARTS:
            return False
        *folder, name = way
        places = self._places(folder)
        return any(
            each.goes_on(each.after(at, name)) for each, at in zip(self._patterns, places, strict=True)
        )

    def _places(self, folder: Sequence[str]) -> tuple[frozenset[int], ...]:
        """Where in each pattern the names of a folder lead: from those of the folder that it is in."""
        known = 0
        while (
            known < min(len(folder), len(self._levels) - 1) and self._levels[known + 1].name == folder[known]
        ):
            known += 1
        del self._levels[known + 1 :]
        for name in folder[known:]:
            before = zip(self._patterns, self._levels[-1].places, strict=True)
            self._levels.append(_Level(name, tuple(each.after(at, name) for each, at in before)))
        return self._levels[-1].places

    def _look_at(self, step: Step, folder: Sequence[str]) -> Iterator[None]:
        places = zip(self._patterns, self._places(folder), strict=True)
        fitting = [each for each, at in places if each.ends(at, step.name)]
        if not fitting:
            return
        path = "/".join((*folder, step.name))
        if not is_encodable(path) or len(path) > MAX_WORD:
            raise BadInput(
                f"{quoted(path)} is no path in UTF-8, of {MAX_WORD} characters at most", field="outputs"
            )
        try:
            found = yield from self._read(step, path)
        except (FileNotFoundError, NotRegular):  # since the walk came by
            return
        except OSError as error:
            if error.errno in TRANSIENT:
                raise
            raise BadInput(f"{quoted(path)} can't be read: {error.strerror}", field="outputs") from None
        self._found[path] = found
        self._left -= found.size
        if len(self._found) > MAX_FILES:
            raise BadInput(f"more than {MAX_FILES} files fit; pack them into one", field="outputs")
        for pattern in fitting:
            self._missing.pop(pattern.text, None)

    def _read(self, step: Step, path: str) -> Generator[None, None, OutputFile]:
        """Its content, as it was at one moment: read again where it has changed meanwhile."""
        with opened_file(step.name, step.folder) as file:
            for _ in range(TRIES):
                before = os.fstat(file)
                if before.st_size > self._left:
                    raise BadInput(
                        f"{quoted(path)} and what was found before have more than {self._most_mb} MiB "
                        "(setting `outputs_mb`)",
                        field="outputs",
                    )
                digest = yield from _hashed(file, before.st_size)
                if _version(os.fstat(file)) == _version(before):
                    return OutputFile(path=path, size=before.st_size, sha256=digest)
        raise BadInput(f"{quoted(path)} changes while it is read: another task writes to it", field="outputs")


def _hashed(file: int, size: int) -> Generator[None, None, str]:
    """No more is read than was there at first, however it grows."""
    content = hashlib.sha256()
    for place in range(0, size, PIECE):
        content.update(os.pread(file, min(PIECE, size - place), place))
        yield None
    return content.hexdigest()


def _version(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
