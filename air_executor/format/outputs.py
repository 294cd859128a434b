"""Patterns of files that a task promises to make below `/work`: what they may look like, what fits them."""

import fnmatch
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, FailFast

from air_executor.format.fields import Text
from air_executor.format.limits import at_most

MAX_PATTERNS = 100
"""Of one task."""
MAX_PATTERN = 1024
"""Characters of one."""
MAX_PARTS = 64
"""Folders in each other, of a pattern and of what fits it."""
MAX_STARS = 16
"""`*` in one part of a pattern: each makes it longer to look whether a name fits."""
ANY_FOLDERS = "**"
RULE = 'must be a path below /work, such as "report/*.csv", "model.bin" or "logs/**/*.txt"'


def check_pattern(text: str) -> str:
    """The pattern itself. Raises ValueError with the rule that it breaks."""
    parts = text.split("/")
    if len(text) > MAX_PATTERN:
        raise ValueError(f"is longer than {MAX_PATTERN} characters")
    if not all(parts) or {".", ".."} & set(parts):
        raise ValueError(f'{RULE}: without "//", "." and "..", and no "/" at its beginning or end')
    if len(parts) > MAX_PARTS:
        raise ValueError(f"has more than {MAX_PARTS} parts")
    if any(part.count("*") > MAX_STARS for part in parts):
        raise ValueError(f"has more than {MAX_STARS} `*` in one part: a few, between words, say as much")
    return text


Patterns = Annotated[
    tuple[Annotated[Text, AfterValidator(check_pattern)], ...],
    FailFast(),
    BeforeValidator(at_most(MAX_PATTERNS, "patterns")),
]


class Pattern:
    """`*`, `?` and `[…]` stand for characters of one name, also of one that begins with a dot; `**` for any
    number of folders. How far a path has come in it is a set of places, so no path takes long."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = text.split("/")
        self._fit = [_fits(part) for part in self._parts]
        self.start = self._skipping({0})

    def after(self, places: frozenset[int], name: str) -> frozenset[int]:
        """Where a path may be that was at `places`, one name further."""
        further = {place + 1 for place in places if place < len(self._parts) and self._fit[place](name)}
        staying = {place for place in places if self._is_any(place)}
        return self._skipping(further | staying)

    def ends(self, places: frozenset[int], name: str) -> bool:
        """Whether a path fits that was at `places`, and ends one name further."""
        last = len(self._parts) - 1
        return last in places and self._fit[last](name) is not None

    def goes_on(self, places: frozenset[int]) -> bool:
        """Whether what is below such a path may fit."""
        return any(place < len(self._parts) for place in places)

    def _is_any(self, place: int) -> bool:
        return place < len(self._parts) and self._parts[place] == ANY_FOLDERS

    def _skipping(self, places: set[int]) -> frozenset[int]:
        """`**` is also no folder at all; but at the end of a pattern it stands for a name at least.

        Whatever fits before a `**` that was reached, fits from there on as well: only the last one counts.
        """
        found, ahead = set(places), list(places)
        while ahead:
            place = ahead.pop()
            if self._is_any(place) and place + 1 < len(self._parts) and place + 1 not in found:
                found.add(place + 1)
                ahead.append(place + 1)
        first = max(filter(self._is_any, found), default=0)
        return frozenset(place for place in found if place >= first)


def _fits(part: str) -> Callable[[str], object]:
    return re.compile(fnmatch.translate(part)).match
