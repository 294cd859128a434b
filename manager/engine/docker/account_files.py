"""Gives each container's user a name: finds out what its image says, and keeps the files that say more.

They are in the home, in the manager's own folder: a job writer who could change one would decide who a user
is in the containers of others.
"""

import hashlib
import logging
import secrets
import shutil
import tarfile
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from manager.engine.contract import Engine, EngineError, EngineUnavailable, ImageUnusable
from manager.engine.docker.accounts import (
    GROUP,
    MOST_BYTES,
    PASSWD,
    Accounts,
    Completed,
    File,
    ImageAccounts,
    completed,
)
from manager.engine.docker.archive import entry
from manager.engine.docker.connection import translated
from manager.engine.docker.translate import only_file
from manager.model import containers
from manager.model.container_spec import HOME_ID, ContainerSpec, Mount
from manager.model.home import Home
from manager.model.values import Owner

log = logging.getLogger(__name__)

OF_AN_ARCHIVE = 128 << 10
"""Bytes that an archive of one file has beside the file."""
NOT_A_FILE = 0x8F280000
"""Bits of Go's FileMode, as the engine tells it: a folder, a link, a pipe, a socket, a device."""
NAMELESS = "users of tasks have no names in the image %r: %s"
LOCKS = 16
"""Images share them: two that meet wait for each other, which costs time only."""
IMAGES = 64
"""That are remembered."""
UNUSED_FOR = 3600.0
"""Seconds after which files go that no container has: far more than making a container with them takes."""


class Unreadable(Exception):
    """What the image has there is not what such a file is."""


class NotAFile(Exception):
    """The image has no file there. The engine reads it in each start: of a pipe, it would do so for ever."""


class AccountFiles:
    """Safe to use from several threads. That names can't be found out is no reason to make no container."""

    def __init__(self, engine: Engine, api: Callable[[], Any]) -> None:
        self._engine = engine
        self._api = api
        self._reading = [threading.Lock() for _ in range(LOCKS)]
        self._images: dict[str, ImageAccounts | None] = {}
        """By their ids. None: there are none that could be completed."""
        self._refused: set[str] = set()
        """Of which images the engine does not tell; it may do so another time."""
        self._lock = threading.Lock()
        self._place: Path | None = None
        self._given: dict[str, float] = {}
        """When each folder was given out last, by its name."""
        self._looked = time.monotonic()
        self._writable = True

    def of(self, spec: ContainerSpec, image_id: str) -> Accounts | None:
        """For a container of `spec` made from this image; None where its user has to go without a name.

        Raises ImageUnusable, where the engine can't start it either.
        """
        image = self._image(spec, image_id)
        if image is None:
            return None
        found = completed(image, Owner.parse(spec.user))
        try:
            return self._kept(found, containers.home_of(spec))
        except OSError as error:
            if self._writable:
                log.warning("users of tasks have no names, since these can't be written down: %s", error)
            self._writable = False
            return None

    def keep(self, used: Collection[str]) -> None:
        """Delete the folders that nobody needs; `used` are the names of those that containers have now."""
        with self._lock:
            now, since = time.monotonic(), self._looked
            if self._place is None or now - since < UNUSED_FOR:
                return
            self._looked = now
            for folder in _inside(self._place):
                if folder.name not in used and now - self._given.get(folder.name, since) >= UNUSED_FOR:
                    self._given.pop(folder.name, None)
                    shutil.rmtree(folder, ignore_errors=True)

    # --- What the image says -----------------------------------------------------------------------------

    def _image(self, spec: ContainerSpec, image_id: str) -> ImageAccounts | None:
        with self._reading[hash(image_id) % LOCKS]:
            with suppress(KeyError):
                return self._images[image_id]
            try:
                found = self._read(spec, image_id)
            except EngineUnavailable:
                return None
            except EngineError as error:
                if image_id not in self._refused:
                    log.warning(NAMELESS, spec.image, error)
                self._refused.add(image_id)
                return None
            except NotAFile as error:
                raise ImageUnusable(f"the image {spec.image!r} can't be used: {error}") from None
            except Unreadable as error:
                log.warning(NAMELESS, spec.image, error)
                found = None
            self._remember(image_id, found)
            return found

    def _remember(self, image_id: str, found: ImageAccounts | None) -> None:
        with self._lock:
            while len(self._images) >= IMAGES:
                del self._images[next(iter(self._images))]
            self._images[image_id] = found

    def _read(self, spec: ContainerSpec, image_id: str) -> ImageAccounts:
        name = containers.accounts_name(secrets.token_hex(5))
        reader = self._engine.create(containers.never_started(spec, image_id, name), None)
        try:
            found = ImageAccounts(self._file(reader, PASSWD), self._file(reader, GROUP))
        finally:
            with suppress(EngineError):  # it has the home's label, and is swept
                self._engine.remove(reader, spec.labels[HOME_ID])
        problem = found.problem(containers.OWN_PLACES)
        if problem is not None:
            raise Unreadable(problem)
        return found

    def _file(self, container: str, path: str) -> File:
        with translated():
            found = entry(self._api(), container, path)
            if found is None:
                raise Unreadable(f"{path} is a link without end")
            if found.stat is None:
                self._api().inspect_container(container)  # raises where that is what there is not
                return File(found.place, b"")
            return File(found.place, _content(path, found.content, found.stat))

    # --- What is kept ------------------------------------------------------------------------------------

    def _kept(self, found: Completed, home: Home) -> Accounts:
        if not found.files:
            return Accounts(found.user, "", ())
        folder = self.folder_with({name: file.content for name, file in found.files.items()}, home)
        mounts = (Mount(str(folder / name), file.place, read_only=True) for name, file in found.files.items())
        return Accounts(found.user, folder.name, tuple(mounts))

    def folder_with(self, contents: dict[str, bytes], home: Home) -> Path:
        """The folder that has these files, for a container that is made next. Raises OSError."""
        folder = home.accounts / _hash(contents)
        with self._lock:
            if folder.name not in self._given or not folder.is_dir():
                _have(folder, contents)
            self._given[folder.name] = time.monotonic()
            self._place, self._writable = home.accounts, True
        return folder


def _content(path: str, chunks: Iterable[bytes], stat: dict[str, Any]) -> bytes:
    if stat["mode"] & NOT_A_FILE:
        raise NotAFile(f"its {path} is no regular file")
    archive = bytearray()
    for chunk in chunks:
        archive += chunk
        if len(archive) > MOST_BYTES + OF_AN_ARCHIVE:
            raise Unreadable(f"{path} has more than {MOST_BYTES:,} bytes")
    try:
        content = only_file(bytes(archive))
    except tarfile.TarError as error:
        raise Unreadable(f"{path} does not arrive: {error}") from None
    if content is None:
        raise NotAFile(f"its {path} is no regular file")
    if len(content) > MOST_BYTES:
        raise Unreadable(f"{path} has more than {MOST_BYTES:,} bytes")
    return content


def _inside(place: Path) -> list[Path]:
    try:
        return list(place.iterdir())
    except OSError:  # somebody has deleted it
        return []


def _hash(contents: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:32]


def _have(folder: Path, contents: dict[str, bytes]) -> None:
    """Whole, or not at all: a manager may have been killed here, or the machine's power cut."""
    with suppress(OSError):
        if all((folder / name).read_bytes() == content for name, content in contents.items()):
            return
    aside = folder.with_name(f".{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700, parents=True)
    for name, content in contents.items():
        (aside / name).write_bytes(content)
        (aside / name).chmod(0o644)
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
