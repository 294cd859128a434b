"""PURE. The accounts of a container: those of its image, and its user's own where the image has none.

What the image says is kept word for word: what is missing is added below it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from air_executor.format.places import is_in
from manager.model.container_spec import Mount
from manager.model.values import Owner

PASSWD = "/etc/passwd"
GROUP = "/etc/group"
MOST_BYTES = 256 << 10
"""Of each that are read of an image: some thousand accounts."""

NAME = "task"
"""Of the user, and of the group, unless the image has given it to another one."""
PERSON = "Air-Executor task"
FOLDER = "/tmp"
SHELL = "/bin/sh"

ELSEWHERE = ("/proc", "/sys", "/dev", "/tmp")
"""Where a container does not have what its image has, so that nothing of the image can be replaced there."""

_NAME = rb"^([^\s:\0#+-][^\s:\0]{0,255})"
_USER = re.compile(_NAME + rb":[^:\n]*:(\d{1,10}):\d{1,10}:[^:\n]*:[^:\n]*:[^:\n]*$", re.MULTILINE)
_GROUP = re.compile(_NAME + rb":[^:\n]*:(\d{1,10}):[^:\n]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class File:
    """A file of an image, by its place when all links were followed; it is empty where there is none."""

    place: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ImageAccounts:
    """What an image says of users and of groups."""

    passwd: File
    group: File

    def problem(self, mounted: tuple[str, ...]) -> str | None:
        """Why nothing can be put in their place, or None. `mounted`: where a container has other things."""
        for place in (self.passwd.place, self.group.place):
            for folder in (*ELSEWHERE, *mounted):
                if place == folder or place.startswith(f"{folder}/"):
                    return f"a link leads to {place}, where containers have something else"
        if self.passwd.place == self.group.place:
            return f"{PASSWD} and {GROUP} are one file"
        return None


@dataclass(frozen=True, slots=True)
class Completed:
    """What a container has to find, so that its user has a name."""

    user: str
    """The name."""
    files: dict[str, File]
    """What takes the place of the image's, by the name that it is kept under; nothing where all is there."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """As `Completed`, where the files are on the disk."""

    user: str
    folder: str
    """The name of the folder that they are in; empty where there are none."""
    mounts: tuple[Mount, ...]

    def lie_in(self, places: Iterable[str]) -> bool:
        """Whether the image's links lead to where a container has something else."""
        return any(is_in(mount.target, place) for mount in self.mounts for place in places)


def completed(image: ImageAccounts, owner: Owner) -> Completed:
    """With a name for the user and for the group of `owner`, whose own `image` gives where it has one."""
    user, group = _name(_USER, image.passwd.content, owner.uid), _name(_GROUP, image.group.content, owner.gid)
    files = {}
    if user is None:
        user = _free_name(image.passwd.content, owner.uid)
        entry = f"{user}:x:{owner.uid}:{owner.gid}:{PERSON}:{FOLDER}:{SHELL}\n"
        files["passwd"] = _with(entry, image.passwd)
    if group is None:
        entry = f"{_free_name(image.group.content, owner.gid)}:x:{owner.gid}:\n"
        files["group"] = _with(entry, image.group)
    return Completed(user, files)


def _name(entry: re.Pattern[bytes], content: bytes, number: int) -> str | None:
    """The first that has this number: the one that every C library finds."""
    found = next((each for each in entry.finditer(content) if int(each[2]) == number), None)
    return None if found is None else found[1].decode(errors="replace")


def _free_name(content: bytes, number: int) -> str:
    taken = {line.partition(b":")[0].strip() for line in content.splitlines()}
    name, tries = NAME, 0
    while name.encode() in taken:
        name = f"{NAME}{number}{'-' * tries}"
        tries += 1
    return name


def _with(entry: str, file: File) -> File:
    end = b"" if not file.content or file.content.endswith(b"\n") else b"\n"
    return File(file.place, file.content + end + entry.encode())
