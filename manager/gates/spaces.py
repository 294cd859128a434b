"""Folders of the home that a container has beside the usual: scratch space on the disk, and caches.

A cache has one folder for each user: so nobody runs what another user has put there.
"""

import logging
import os
import secrets
import threading
import time
from contextlib import suppress
from pathlib import Path

from air_executor.untrusted import opened
from manager.folder import removal, workspace
from manager.folder.usage import Look
from manager.gates.gate_folder import give
from manager.model import containers
from manager.model.assignment import Assignment
from manager.model.values import Owner

log = logging.getLogger(__name__)

MIB = 1 << 20
STEPS = 1000
MOST_FILES = 200_000
"""Of a cache: one with more is emptied as one that is too large."""
LOOK_AGAIN = 300.0
"""Seconds for which nobody looks again how large a cache is."""

_LOOKED: dict[Path, float] = {}
_LOOKING = threading.Lock()


def prepare(assignment: Assignment) -> None:
    """Have them there, as the task's user's. Raises OSError."""
    for number, each in enumerate(assignment.grant.scratch):
        if each.on == "disk":
            _have(assignment.gate.scratch(number), assignment.user)
    for mount in assignment.grant.mounts:
        if mount.kind == "cache":
            cache = containers.home_of(assignment.spec).cache(mount.name, assignment.user.uid)
            for parent in (cache.parent.parent, cache.parent):
                with suppress(FileExistsError):
                    parent.mkdir(0o700)
            if cache.is_dir():
                _have(cache, assignment.user)  # who is not root counts nothing in a closed one
                _empty_when_too_large(cache, (mount.size_mb or 0) * MIB)
            _have(cache, assignment.user)


def _have(folder: Path, user: Owner) -> None:
    """Also where it was the user's already, who may have closed it."""
    with suppress(FileExistsError):
        folder.mkdir(0o700)
    with opened(folder.parent) as parent:
        removal.allow_us(folder.name, parent)
        with opened(folder.name, folder=parent) as handle:
            if os.fstat(handle).st_uid == user.uid:
                os.fchmod(handle, 0o700)
            else:
                give(handle, user)


def _empty_when_too_large(cache: Path, most: int) -> None:
    """Tasks that have it find it empty: what is in a cache may go at any time."""
    with _LOOKING:
        if time.monotonic() < _LOOKED.get(cache, 0.0):
            return
        _LOOKED[cache] = time.monotonic() + LOOK_AGAIN
    look = Look([cache])
    while look.go_on(STEPS) and look.usage.bytes <= most and look.usage.inodes <= MOST_FILES:
        pass
    if look.usage.bytes > most or look.usage.inodes > MOST_FILES:
        log.warning("cache=%s has %s or more, and is emptied", cache, look.usage)
        aside = cache.with_name(f".gone-{secrets.token_hex(8)}")
        cache.rename(aside)
        workspace.delete(aside)
