"""Which home folder this is: the identity that is part of the names and labels of its containers.

A folder's path is no identity, since it differs inside and outside of containers. So it is made once, and
kept in `home-id`. A folder that is a copy of another one, that file included, gets an identity of its own:
the containers of the other one are not its to touch. A copy has another inode *and* another path than what
`home-inode` tells; only one of the two may also change when a folder is moved, is seen from inside of a
container, or when its file system so pleases.
"""

import logging
import secrets
from contextlib import suppress
from pathlib import Path

from air_executor.files import write_durably

log = logging.getLogger(__name__)


def identify(home: Path) -> str:
    """The folder's identity, made where there is none. Raises OSError."""
    known = own_id(home)
    if known is None:
        if _words(home / "home-id") is not None:
            log.warning("%s is a copy of another home folder: it gets an identity of its own", home)
        known = secrets.token_hex(8)
        _write(home / "home-id", known)
    if _words(home / "home-inode") != _place(home):
        _write(home / "home-inode", _place(home))
    return known


def own_id(home: Path) -> str | None:
    """The identity that a manager has given to this folder, and not to one that it is a copy of."""
    made_for = _words(home / "home-inode")
    if made_for is not None and _is_copy(made_for, _place(home)):
        return None
    return _words(home / "home-id")


def _write(file: Path, words: str) -> None:
    """For everybody to read: it is on each container anyway, and `make down` asks for it."""
    write_durably(file, f"{words}\n")
    file.chmod(0o644)


def _place(home: Path) -> str:
    return f"{home.stat().st_ino} {home}"


def _is_copy(before: str, now: str) -> bool:
    inode, _, path = before.partition(" ")
    inode_now, _, path_now = now.partition(" ")
    return inode != inode_now and path != path_now


def _words(file: Path) -> str | None:
    with suppress(FileNotFoundError, NotADirectoryError):
        return file.read_text().strip() or None
    return None
