"""Files that a job brings: put into its `work/` before anybody sees the job.

Where they come from, somebody may put something else meanwhile: all is opened by the handle of its folder, no
link is followed, and what is read is counted. In a path that a person names only its last name is looked at;
the folders above it may be behind links, as with any command.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from air_executor.errors import BadInput, quoted
from air_executor.files import FOLDER_MODE, create_exclusively, folder_of
from air_executor.format import layout
from air_executor.format.fields import is_encodable
from air_executor.format.inputs import (
    FIELD,
    MAX_DEPTH,
    MAX_ENTRIES,
    Inputs,
    Meter,
    Place,
    check_number,
    parse_place,
)
from air_executor.untrusted import FILE, opened

Content = bytes | str | os.PathLike[str]
"""What is in a file, as bytes or text; or the path of a file or folder, which is copied."""

BELOW_MODE, PROGRAM_MODE, TEXT_MODE = 0o755, 0o755, 0o644
"""Tasks may have another user than the job's writer; nobody else gets past the work folder itself."""
A_PART = 1 << 20
"""Bytes that are read at once."""
LONGEST_SHOWN = 70
"""Characters of a path that a sentence has."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A folder; or a file, with what is in it, or the handle of that."""

    place: Place
    is_folder: bool = False
    is_program: bool = False
    content: bytes = b""
    handle: int | None = None
    path: Path | None = None
    """Where it comes from, if it is not at hand."""

    @property
    def size(self) -> int:
        return len(self.content) if self.handle is None else os.fstat(self.handle).st_size

    def parts(self, meter: Meter) -> Iterator[bytes]:
        """What is in it, counted. Raises BadInput where that is not as much as its size says."""
        if self.handle is None or self.path is None:
            meter.take(len(self.content))
            yield self.content
            return
        left = self.size
        for part in iter(partial(os.read, self.handle, A_PART), b""):
            meter.take(len(part))
            left -= len(part)
            if left < 0:
                break
            yield part
        if left != 0:
            raise _changing(self.path)


class InputFiles:
    """Files and folders, by where below `/work` they go."""

    def __init__(self, files: Mapping[str, Content]) -> None:
        """Raises BadInput for a place that is none, or is in another one."""
        if not isinstance(files, Mapping):
            raise BadInput('must be an object such as {"data.csv": Path("data.csv")}', field=FIELD)
        check_number(len(files))
        self._files = {parse_place(place): _content(place, content) for place, content in files.items()}
        for place in self._files:
            _check_apart(place, self._files)

    def __bool__(self) -> bool:
        return bool(self._files)

    def measured(self) -> Inputs:
        """How much it is. Raises BadInput; OSError where something can't be read."""
        meter = Meter()
        for found in self._all(meter):
            meter.take(found.size)
        return meter.inputs

    def digest(self) -> str:
        """Equal where the same is brought to the same places. Raises BadInput, OSError."""
        meter, whole = Meter(), hashlib.sha256()
        for found in self._all(meter):
            content = hashlib.sha256()
            for part in found.parts(meter):
                content.update(part)
            told = (found.place, found.is_folder, found.is_program, content.hexdigest())
            whole.update(repr(told).encode())
        return whole.hexdigest()

    def put(self, job: int) -> None:
        """Make `work` in the opened folder of a job that nobody sees yet. Raises BadInput, OSError."""
        meter = Meter()
        os.mkdir(layout.WORK, FOLDER_MODE, dir_fd=job)
        with opened(layout.WORK, folder=job) as work:
            os.fchmod(work, FOLDER_MODE)
            for found in self._all(meter):
                with _made(work, found.place if found.is_folder else found.place[:-1]) as folder:
                    if not found.is_folder:
                        _write(found, folder, meter)
            os.fsync(work)

    def _all(self, meter: Meter) -> Iterator[_Found]:
        for place, content in self._files.items():
            if isinstance(content, bytes):
                meter.enter()
                yield _Found(place, content=content)
            else:
                with folder_of(content.parent) as folder:
                    yield from _walk(content, folder, place, meter)


def named(text: str) -> tuple[str, Path]:
    """Where it goes, and what: of `local:place`, or of `local`, whose own name is its place.

    Raises BadInput where that has none.
    """
    local, _, place = text.rpartition(":") if ":" in text else (text, "", Path(text).name)
    if not local or place in ("", ".."):
        raise BadInput(
            f"{quoted(text)} must be a file or folder, and where it goes, as in .:data", field=FIELD
        )
    return place, Path(local)


def _content(place: str, content: Content) -> bytes | Path:
    match content:
        case bytes():
            return content
        case str() if is_encodable(content):
            return content.encode()
        case os.PathLike():
            return Path(content).absolute()
    raise BadInput(f"{quoted(place)} must be bytes, text, or a path", field=FIELD)


def _check_apart(place: Place, places: Mapping[Place, object]) -> None:
    for length in range(1, len(place)):
        if place[:length] in places:
            inner, outer = quoted("/".join(place)), quoted("/".join(place[:length]))
            raise BadInput(f"{inner} would be in {outer}, which is brought as well", field=FIELD)


def _walk(path: Path, folder: int, place: Place, meter: Meter) -> Iterator[_Found]:
    """What has the path's name in the opened folder, and all that is in it."""
    meter.enter()
    with _opened(path, folder) as handle:
        status = os.fstat(handle)
        if not stat.S_ISDIR(status.st_mode):
            if os.pread(handle, 1, status.st_size):  # such as in /proc, where files have no size
                raise _changing(path)
            yield _Found(place, is_program=bool(status.st_mode & stat.S_IXUSR), handle=handle, path=path)
            return
        yield _Found(place, is_folder=True)
        names = _names(handle)
        if names and len(place) >= MAX_DEPTH:
            raise BadInput(f"{_shown(path)} has more than {MAX_DEPTH} folders above it", field=FIELD)
        for name in names:
            yield from _walk(path / name, handle, (*place, name), meter)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in islice(entries, MAX_ENTRIES + 1)]
    check_number(len(names))
    return sorted(names)


@contextmanager
def _opened(path: Path, folder: int) -> Iterator[int]:
    """A handle of the regular file or the folder with the path's name. Raises BadInput for anything else."""
    try:
        _check_kind(os.stat(path.name, dir_fd=folder, follow_symlinks=False), path)
        handle = os.open(path.name, FILE | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # put there just now
            raise BadInput(f"{_shown(path)} is a link, or no file any more", field=FIELD) from None
        error.filename = str(path)
        raise
    try:
        _check_kind(os.fstat(handle), path)
        yield handle
    finally:
        os.close(handle)


def _check_kind(status: os.stat_result, path: Path) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise BadInput(f"{_shown(path)} is a link, and none is followed; bring what it leads to", field=FIELD)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise BadInput(f"{_shown(path)} is neither a regular file nor a folder", field=FIELD)


def _changing(path: Path) -> BadInput:
    return BadInput(
        f"{_shown(path)} changes while it is read: it has not as many bytes as its size says; bring a copy",
        field=FIELD,
    )


def _shown(path: Path) -> str:
    """Its end, which tells it from others."""
    text = str(path)
    return quoted(text) if len(text) < LONGEST_SHOWN else f"…{quoted(text[-LONGEST_SHOWN:])}"


@contextmanager
def _made(work: int, place: Place) -> Iterator[int]:
    """A handle of the folder of that place, which is made with those above it where it is missing."""
    with ExitStack() as stack:
        folder = work
        for name in place:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=folder)
            folder = stack.enter_context(opened(name, folder=folder))
            os.fchmod(folder, BELOW_MODE)
        yield folder


def _write(found: _Found, folder: int, meter: Meter) -> None:
    with create_exclusively(found.place[-1], folder) as file:
        for part in found.parts(meter):
            file.write(part)
        os.fchmod(file.fileno(), PROGRAM_MODE if found.is_program else TEXT_MODE)
        file.flush()
        os.fsync(file.fileno())
    os.fsync(folder)
