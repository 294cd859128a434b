"""Reading tasks' logs, which strangers wrote: bounded, and with control characters made harmless."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

TAIL_BYTES = 64 * 1024

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, what reverses or breaks lines, and what can't be encoded."""


def harmless(text: str) -> str:
    """`text` without the characters that could steer a terminal; line ends and tabs stay."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def tail(file: Path, lines: int) -> str:
    """The last `lines` lines of a log, at most 64 KiB; empty when there is no such file."""
    try:
        with file.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - TAIL_BYTES))
            text = log.read(TAIL_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(harmless(text).splitlines()[-lines:])


def follow(file: Path, ended: Callable[[], bool], interval: float = 0.1) -> Iterator[bytes]:
    """The whole log and what is added to it, until `ended()` and nothing more comes.

    When another file takes its place, as for a further attempt, that one is read from its beginning.
    """
    position = inode = 0
    while True:
        last = ended()  # asked before reading, so that nothing written before the end is missed
        try:
            with file.open("rb") as log:
                if (now := os.fstat(log.fileno()).st_ino) != inode:
                    position, inode = 0, now
                log.seek(position)
                while chunk := log.read(1 << 16):
                    position += len(chunk)
                    yield chunk
        except FileNotFoundError:
            pass
        if last:
            return
        time.sleep(interval)
