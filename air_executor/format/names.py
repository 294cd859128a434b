"""What a job or a task may be called."""

import hashlib
import json
import re
from collections.abc import Sequence

from air_executor.errors import BadInput

MAX_LENGTH = 200
SEPARATOR = "~"
"""Stands between the parts of a name that is made of several."""
RULE = (
    f"must be 1 to {MAX_LENGTH} of the letters a-z and A-Z, digits and _ . : + @ = ~ -, "
    "and start with a letter or digit"
)

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.:+@=~-]{{0,{MAX_LENGTH - 1}}}", re.ASCII)
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.:+@=~-]", re.ASCII)

_SUCCESSOR = re.compile(r".*\.(?:[2-9]|[1-9][0-9]+)", re.ASCII | re.DOTALL)
_SHORTENED = re.compile(rf".{{{MAX_LENGTH - 17}}}{SEPARATOR}[0-9a-f]{{16}}", re.ASCII | re.DOTALL)


def is_name(text: str) -> bool:
    """Whether `text` may name a job or a task."""
    return _NAME.fullmatch(text) is not None


def check_name(text: str, field: str = "name") -> str:
    """`text` itself.

    Raises BadInput, naming `field`, when it may not name a job or a task.
    """
    if not is_name(text):
        shown = text if len(text) <= 60 else text[:57] + "..."
        raise BadInput(f"{shown!r} is not a valid name: it {RULE}", field=field)
    return text


def successor(name: str, number: int) -> str:
    """The name of the `number`th job for one request: `name`, `name.2`, `name.3`, …"""
    return name if number == 1 else shorten(f"{name}.{number}")


def fitting(text: str) -> str:
    """`text` with `-` for each character that may not be in a name."""
    return _NOT_IN_A_NAME.sub("-", text)


def joined(parts: Sequence[str]) -> str:
    """One name for all of `parts`, of any characters: equal only for equal parts.

    They stand in it side by side. Where that could be misread, as where one has the `~` that stands between
    them, or a character that no name has, a hash of all of them follows. So it does where they would end as
    the name of a successor, or one that was shortened: no other parts' successor has that name either.
    """
    shown = [fitting(part) for part in parts]
    name = SEPARATOR.join(shown)
    split_elsewhere = any(SEPARATOR in part for part in parts)
    if shown != list(parts) or split_elsewhere or _SUCCESSOR.fullmatch(name) or _SHORTENED.fullmatch(name):
        name = SEPARATOR.join((name, _digest(json.dumps(list(parts)))))
    return shorten(name)


def shorten(name: str) -> str:
    """`name`, or where it is too long its beginning and a hash of the whole: equal only for equal names."""
    if len(name) <= MAX_LENGTH:
        return name
    return f"{name[: MAX_LENGTH - 17]}{SEPARATOR}{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
