"""What a process has used so far, as the kernel counts it."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MB = 1e6


@dataclass(frozen=True, slots=True)
class Cpu:
    """User and system, in seconds."""

    own: float
    """By the process itself, with all its threads."""
    reaped: float
    """By its children that have ended, and by theirs, as far as somebody waited for them."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process, without its children."""

    cpu_seconds: float
    """User and system."""
    written_bytes: int
    """All that it handed to `write`: to files and sockets, cached or not."""
    memory_mb: float
    """What it has in memory now (VmRSS)."""


def usage_of(pid: int) -> Usage:
    """Up to now."""
    process = Path("/proc", str(pid))
    resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    counters = dict(line.split(": ") for line in (process / "io").read_text().splitlines())
    return Usage(cpu_of(pid).own, int(counters["wchar"]), resident / MB)


def cpu_of(pid: int) -> Cpu:
    """Up to now."""
    fields = _stat(pid)
    return Cpu((int(fields[11]) + int(fields[12])) / TICKS, (int(fields[13]) + int(fields[14])) / TICKS)


def parent_of(pid: int) -> int:
    """The process that it is a child of."""
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    """From the third field on: the second, the command's name in brackets, may have anything in it."""
    return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
