"""PURE. The volumes that an image declares.

The engine would make each a writable folder on the host's disk, without a bound, whatever the container's
root is. What is mounted at the same place keeps it from that: a task's own folders, or else an empty file
system in memory that can't be written.
"""

import posixpath
from collections.abc import Collection, Iterable
from typing import Any

MOST = 32
"""Volumes that an image may declare: each is a mount."""
EMPTY = "ro,nosuid,nodev,noexec,mode=555,size=64k,nr_inodes=64"
"""With room for the places at which something else is mounted below it."""


def declared(image: dict[str, Any]) -> list[str]:
    """Their places, from the answer of `GET /images/{name}/json`."""
    config = image.get("Config") or {}
    return sorted({posixpath.normpath(place) for place in config.get("Volumes") or {}})


def in_their_place(volumes: Iterable[str], mounted: Collection[str]) -> dict[str, str]:
    """What is mounted where the container has nothing of its own mounted, as `HostConfig.Tmpfs` takes it."""
    return {place: EMPTY for place in volumes if place not in mounted}


def unusable(volumes: Collection[str], folders: Collection[str]) -> str | None:
    """Why no container can be made with these, or None. `folders`: the host's that are mounted in it."""
    if len(volumes) > MOST:
        return f"it declares {len(volumes)} volumes, and {MOST} are the most"
    for place in volumes:
        if not place.startswith("/") or place == "/":
            return f"it declares the volume {place!r}, which is no folder below /"
        inside = next((folder for folder in folders if place.startswith(f"{folder}/")), None)
        if inside is not None:  # its place would be made there, by root
            return f"it declares the volume {place!r}, which lies in the task's own {inside}"
    return None
