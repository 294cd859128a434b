"""POSIX access control lists: who may do what with a file, beside its owner and its group.

Linux keeps them in two extended attributes. That of a folder for what is made in it (the default list) takes
the place of the umask. The most that a file allows its named users and its group is its mask, which its mode
shows for the group: to change the mode is to change the mask.
"""

import errno
import os
import struct
from collections.abc import Mapping
from enum import StrEnum
from tempfile import TemporaryDirectory
from typing import NamedTuple

from manager.folder.trouble import TRANSIENT

READ_WRITE, ALL = 6, 7
"""Bits of a permission, as in a mode."""

NONE = "its file system has no access control lists (POSIX ACLs)"

_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")
_OWNER, _USER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NOBODY = 0xFFFF_FFFF
"""Stands in entries that name no user."""


class Kind(StrEnum):
    """Which of the two lists; the value is the name of its attribute."""

    ACCESS = "system.posix_acl_access"
    DEFAULT = "system.posix_acl_default"


class Acl(NamedTuple):
    """One list. It has no entries for groups that are named."""

    owner: int
    users: Mapping[int, int]
    group: int
    mask: int
    other: int

    def allows(self, other: "Acl") -> bool:
        """Whether users who are named in the `other` list may do at least as much by this one."""
        allowed = all(self.users.get(user, 0) & wanted == wanted for user, wanted in other.users.items())
        return allowed and self.mask & other.mask == other.mask

    def encode(self) -> bytes:
        """As the kernel takes it."""
        named = [(_USER, self.users[user], user) for user in sorted(self.users)]
        group, mask, other = (
            (tag, bits, _NOBODY)
            for tag, bits in ((_GROUP, self.group), (_MASK, self.mask), (_OTHER, self.other))
        )
        entries = [(_OWNER, self.owner, _NOBODY), *named, group, mask, other]
        return _VERSION + b"".join(_ENTRY.pack(*entry) for entry in entries)

    @classmethod
    def decode(cls, content: bytes) -> "Acl":
        """As the kernel gives it. Raises ValueError where that is no list."""
        if content[:4] != _VERSION or len(content) % _ENTRY.size != len(_VERSION):
            raise ValueError("is no access control list of version 2")
        users: dict[int, int] = {}
        single: dict[int, int] = {}
        for tag, bits, who in _ENTRY.iter_unpack(content[4:]):
            if tag == _USER:
                users[who] = bits
            else:
                single[tag] = bits
        group = single.get(_GROUP, 0)
        return cls(single.get(_OWNER, 0), users, group, single.get(_MASK, group), single.get(_OTHER, 0))


def read(path: str, kind: Kind) -> Acl | None:
    """The list of what is at `path`; None where it has none. Raises OSError."""
    try:
        return Acl.decode(os.getxattr(path, kind))
    except OSError as error:
        if error.errno == errno.ENODATA:
            return None
        raise


def write(path: str, kind: Kind, acl: Acl) -> None:
    """Give what is at `path` that list. Raises OSError."""
    os.setxattr(path, kind, acl.encode())


def problem(folder: str | os.PathLike[str]) -> str | None:
    """Why what is in `folder` can't have such lists, in words; None where it can. Tried, and taken back.

    Raises OSError for a TRANSIENT error: then nothing is known.
    """
    wanted = Acl(ALL, {os.geteuid(): ALL}, 0, ALL, 0)
    try:
        with TemporaryDirectory(prefix=".acl-", dir=folder, ignore_cleanup_errors=True) as tried:
            for kind in Kind:
                write(tried, kind, wanted)
                if read(tried, kind) != wanted:
                    return "its file system does not keep access control lists (POSIX ACLs) as they are set"
    except OSError as error:
        if is_unsupported(error):
            return NONE
        if error.errno in TRANSIENT:
            raise
        return f"access control lists (POSIX ACLs) can't be tried there: {error.strerror}"
    return None


def is_unsupported(error: OSError) -> bool:
    """Whether the file system has no such lists at all."""
    return error.errno in (errno.EOPNOTSUPP, errno.ENOSYS)
