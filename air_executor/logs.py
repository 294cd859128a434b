"""Reading tasks' logs, which strangers wrote: bounded, and with control characters made harmless."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from air_executor.terminal import as_shown

MOST_SHOWN = 64 * 1024
"""Characters at most that a summary shows of a log's end."""
LOOKED_AT = 1 << 20
"""Bytes of its end in which they are looked for: there may be a long progress bar below the last words."""

_UNSAFE = re.compile(
    "["
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for line ends and tabs
    r"\u2028\u2029"  # what breaks lines
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what changes the direction of text
    r"\u200b-\u200d\ufeff"  # what has no width
    r"\ud800-\udfff"  # what can't be encoded
    "]"
)
"""What could steer a terminal, or pass one text off as another. Known here and nowhere else."""


def harmless(text: str) -> str:
    """`text` without the characters that could steer a terminal; line ends and tabs stay."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def escaped(text: str) -> str:
    """`text` with such characters as `\\u001b`, which is right in JSON, too; line ends and tabs stay."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def readable(text: str) -> str:
    """`text` for a summary: as a terminal would show it in the end, without colours, and harmless."""
    return harmless(as_shown(text))


def letter_at(data: bytes | bytearray, begin: int, most: int = 3) -> int:
    """Where, at or after `begin`, a letter of UTF-8 begins; at most so many bytes further."""
    end = min(begin + most, len(data))
    return next((at for at in range(begin, end) if data[at] & 0xC0 != 0x80), end)


def tail(log: int, lines: int) -> str:
    """The last `lines` lines of an opened log, at most 64 KiB, as a summary shows them."""
    begin = max(0, os.fstat(log).st_size - LOOKED_AT)
    data = os.pread(log, LOOKED_AT, begin)
    text = readable(data[letter_at(data, 0) if begin else 0 :].decode(errors="replace"))
    return "\n".join(text.splitlines()[-lines:])[-MOST_SHOWN:]


def follow(
    opened: Callable[[], AbstractContextManager[int]], ended: Callable[[], bool], interval: float = 0.1
) -> Iterator[bytes]:
    """The whole log and what is added to it, until `ended()` and nothing more comes.

    It is opened at each look by `opened`, which raises FileNotFoundError while there is none. When another
    file takes its place, as for a further attempt, that one is read from its beginning.
    """
    position = inode = 0
    while True:
        last = ended()  # asked before reading, so that nothing written before the end is missed
        try:
            with opened() as log:
                if (now := os.fstat(log).st_ino) != inode:
                    position, inode = 0, now
                while chunk := os.pread(log, 1 << 16, position):
                    position += len(chunk)
                    yield chunk
        except FileNotFoundError:
            pass
        if last:
            return
        time.sleep(interval)
