"""Users by number, as people write them: `1000` or `1000:1000`; and as operators list them: `20000-29999`."""

import re
from typing import NamedTuple

MAX_ID = 2**31 - 1
"""The largest number of a user or a group that container engines take."""
FIRST_OF_PEOPLE = 1000
"""Users and groups below are the system's own, on all the usual distributions."""
RULE = f"must be a numeric user id from 1 to {MAX_ID}, such as 1000, or with a group id as 1000:1000"
RANGE_RULE = f"must be 1000, 1000:1000 or 20000-29999, with numbers from 1 to {MAX_ID}"

_USER = re.compile(r"([0-9]{1,10})(?::([0-9]{1,10}))?", re.ASCII)
_RANGE = re.compile(r"([0-9]{1,10})-([0-9]{1,10})", re.ASCII)


class Owner(NamedTuple):
    """The numeric user and group that a job's files belong to."""

    uid: int
    gid: int

    @classmethod
    def parse(cls, text: str) -> "Owner":
        """`1000:1000`, or `1000`, whose group has the same number."""
        uid, _, gid = text.partition(":")
        return cls(int(uid), int(gid or uid))

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid}"


class UserRange(NamedTuple):
    """Users that follow each other. Each has the group of its own number, unless there is one for all."""

    first: int
    last: int
    gid: int | None = None

    @classmethod
    def parse(cls, text: str) -> "UserRange":
        """Raises ValueError with the rule."""
        ids = _parts(_RANGE, text, RANGE_RULE)
        if ids is not None:
            first, last = ids
            if last is None or first > last:
                raise ValueError(f"{RANGE_RULE}, the smaller one first")
            return cls(first, last)
        uid, gid = parse_user(text, RANGE_RULE)
        return cls(uid, uid, gid if ":" in text else None)

    def allows(self, uid: int, gid: int) -> bool:
        """Whether that user, in that group, is one of them."""
        return self.first <= uid <= self.last and gid == (uid if self.gid is None else self.gid)

    @property
    def size(self) -> int:
        """How many there are."""
        return self.last - self.first + 1


def check_range(text: str) -> str:
    """`text` itself. Raises ValueError with the rule where it names no users."""
    UserRange.parse(text)
    return text


def parse_user(text: str, rule: str = RULE) -> tuple[int, int]:
    """User and group; where no group is named, that of the same number. Raises ValueError with the rule."""
    ids = _parts(_USER, text, rule)
    if ids is None:
        raise ValueError(rule)
    uid, gid = ids
    return uid, uid if gid is None else gid


def _parts(form: re.Pattern[str], text: str, rule: str) -> tuple[int, int | None] | None:
    """The numbers in `text`; None where it has another form."""
    match = form.fullmatch(text)
    if match is None:
        return None
    first, second = int(match[1]), None if match[2] is None else int(match[2])
    if not (1 <= first <= MAX_ID and (second is None or 1 <= second <= MAX_ID)):
        raise ValueError(rule)
    return first, second
