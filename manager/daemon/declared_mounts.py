"""Whether the folders that the operator has declared as mounts are what they look like, on this machine.

The engine follows links when it mounts a folder. A link is fine, as long as where it leads could have been
declared itself; that is looked at when the manager starts, and what is found then is what is mounted. So none
but root and the manager may be able to put something else there later: no task through another mount, nor
whoever else may write to a folder on the way. The folder itself, and links in it, are its owner's.

A manager in a container sees little of it; that nothing is mounted of its own home, the engine's side sees to
(`engine/docker/declared`).
"""

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.format.mounts import DeclaredMount, check_source
from air_executor.format.places import is_in

IN_A_CONTAINER = Path("/.dockerenv")
"""Where that is there, a folder of the engine's host that is not to be seen may be there all the same."""
LONGEST_WAY = 100_000
"""Names: the kernel follows 40 links of 2048 names each. Somebody may be making a circle of them just now."""
BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class _Folder:
    """One that is declared, and where it leads."""

    name: str
    path: Path
    reached: Path
    writable: bool


def check(mounts: Mapping[str, DeclaredMount], home: Path) -> dict[str, DeclaredMount]:
    """The same, with each folder by where it leads now, if that is to be seen.

    Raises BadInput for the first that can't be handed out.
    """
    folders = [_found(name, path, home, writable=mounts[name].writable) for name, path in _folders(mounts)]
    for inner, outer in permutations(folders, 2):
        _check_apart(inner, outer)
    if IN_A_CONTAINER.exists():
        return dict(mounts)
    for each in folders:
        _check_way(each, _trusted(home))
    return dict(mounts) | {
        each.name: mounts[each.name].model_copy(update={"path": str(each.reached)}) for each in folders
    }


def missing(mounts: Mapping[str, DeclaredMount]) -> list[str]:
    """What is to be said of those that are not there."""
    if IN_A_CONTAINER.exists():
        return []
    return [
        f"{name}: {folder} is not there, so tasks that name it fail: make it, or take it out of config.toml"
        for name, folder in _folders(mounts)
        if _mode(folder) is None
    ]


def _folders(mounts: Mapping[str, DeclaredMount]) -> Iterator[tuple[str, Path]]:
    for name, declared in mounts.items():
        if declared.path is not None:
            yield name, Path(declared.path)


def _found(name: str, path: Path, home: Path, *, writable: bool) -> _Folder:
    try:
        return _Folder(name, path, _reached(path, home), writable)
    except ValueError as error:
        raise _refused(name, path, str(error)) from None


def _refused(name: str, path: Path, rule: str) -> BadInput:
    return BadInput(f"{path} {rule}", field=f"mounts.{name}.path")


def _reached(folder: Path, home: Path) -> Path:
    try:
        reached = folder.resolve()
    except (OSError, RuntimeError):
        raise ValueError("can't be handed out: its links lead nowhere") from None
    if reached != folder:
        try:
            check_source(str(reached))
        except ValueError as error:
            raise ValueError(f"leads to {reached}, which {error}") from None
    own = str(home.resolve())
    if is_in(str(reached), own) or is_in(own, str(reached)):
        raise ValueError(f"can't be handed out: it is the manager's own home {own}, or in or above it")
    mode = _mode(reached)
    if mode is not None and not stat.S_ISDIR(mode):
        raise ValueError("can't be handed out: it is no folder")
    return reached


def _mode(path: Path) -> int | None:
    """Of what is there. What the manager may not look at, since it is not root, the engine sees all the same:
    that counts as a folder."""
    try:
        return path.stat().st_mode
    except PermissionError:
        return stat.S_IFDIR
    except OSError:
        return None


def _check_apart(inner: _Folder, outer: _Folder) -> None:
    """Who writes to a folder puts what they like in the place of one that lies in it, also a link."""
    if not outer.writable:
        return
    for parent, _ in _way(inner.path):
        if is_in(str(parent), str(outer.path)) or is_in(str(parent), str(outer.reached)):
            raise _refused(
                inner.name,
                inner.path,
                f"can't be handed out: it lies in {outer.path}, to which tasks may write, who so could put "
                f"something else there; set `mounts.{outer.name}.read_only = true`, or declare another",
            )


def _check_way(folder: _Folder, trusted: Collection[int]) -> None:
    """Raises BadInput where somebody else may put something in its place, or above it."""
    for parent, entry in _way(folder.path):
        try:
            problem = _problem(parent, entry, trusted)
        except OSError:  # not there, or not to be seen: so is all that is below
            return
        if problem is not None:
            raise _refused(folder.name, folder.path, f"can't be handed out: {problem}")


def _problem(parent: Path, entry: Path, trusted: Collection[int]) -> str | None:
    """Who else may put something in the place of the entry, and what to do. Raises OSError."""
    found = parent.stat()
    if found.st_uid not in trusted:
        return (
            f"{parent} on its way belongs to user {found.st_uid}, who may put something else in the place of "
            f"{entry}; `chown root {parent}`, or declare a folder elsewhere"
        )
    if not found.st_mode & BY_OTHERS:
        return None
    if not found.st_mode & stat.S_ISVTX:
        return (
            f"others than root and the manager may write to {parent} on its way (mode "
            f"{stat.S_IMODE(found.st_mode):04o}), and so put something else in the place of {entry}; "
            f"`chmod go-w {parent}`, or declare a folder elsewhere"
        )
    try:
        owner = entry.lstat().st_uid
    except FileNotFoundError:
        return f"{entry} is not there, and anybody may make it; make it, or declare a folder elsewhere"
    if owner in trusted:
        return None
    return (
        f"{entry} belongs to user {owner}, who may put something else in its place: others may write to "
        f"{parent}; `chown root {entry}`, or declare a folder elsewhere"
    )


def _trusted(home: Path) -> set[int]:
    """Root and the manager; also the owner of its home, who says what is declared."""
    owner = {home.stat().st_uid} if home.exists() else set()
    return {0, os.geteuid()} | owner


def _way(path: Path) -> Iterator[tuple[Path, Path]]:
    """Each folder in which something is looked up to come to the path, and what; links are followed."""
    parent, names = Path("/"), list(reversed(path.parts[1:]))
    for _ in range(LONGEST_WAY):
        if not names:
            return
        entry = parent / names.pop()
        yield parent, entry
        try:
            target = entry.readlink()
        except OSError:  # no link
            parent = Path(os.path.normpath(entry))
            continue
        names += reversed(target.parts)
        if target.is_absolute():
            parent = Path(names.pop())
