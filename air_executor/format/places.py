"""Places in a container where a task may have something mounted, over what its image has there."""

import posixpath
from collections.abc import Iterable
from itertools import combinations

from air_executor.format import paths

MAX_BYTES = 1024
"""Of one place."""
MAX_NAMES = 16
"""In one place: each is looked at in the image."""
RULE = "must be an absolute path without `.`, `..`, `//` and a `/` at its end, such as /data"

KEPT = ("/work", "/inbox", "/.air-executor", "/proc", "/sys", "/dev", "/run/secrets")
"""What a container has of its own: nothing is put over it, nor into it."""
KEPT_FILES = ("/etc/passwd", "/etc/group", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
"""Likewise; the engine and the manager mount them."""
NOT_COVERED = (
    "/tmp",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/etc/ssl",
)
"""Not covered as a whole, for hardly a program would run; what is below may be."""


def check_place(place: str) -> str:
    """`place` itself. Raises ValueError where nothing may be mounted there."""
    if not place.startswith("/") or place != posixpath.normpath(place) or place.startswith("//"):
        raise ValueError(RULE)
    if not place.isprintable():
        raise ValueError("must be made of characters that can be printed")
    paths.check_path(place)
    if len(place.encode()) > MAX_BYTES:
        raise ValueError(f"has {len(place.encode())} bytes, and at most {MAX_BYTES} are allowed")
    if place.count("/") > MAX_NAMES:
        raise ValueError(f"has {place.count('/')} names, and at most {MAX_NAMES} are allowed")
    for kept in (*KEPT, *KEPT_FILES):
        if is_in(kept, place) or is_in(place, kept):
            raise ValueError(f"is taken: every container has {kept} of its own")
    for kept in NOT_COVERED:
        if is_in(kept, place):
            raise ValueError(f"would hide {kept}, without which hardly a program runs; name a place below it")
    return place


def is_in(path: str, folder: str) -> bool:
    """Whether it is the folder, or in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def overlap(places: Iterable[str]) -> tuple[str, str] | None:
    """Two of them of which one is the other, or in it; the outer one first."""
    for one, other in combinations(sorted(places), 2):
        if is_in(other, one):
            return one, other
    return None
