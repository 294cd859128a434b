"""What a process has used so far, as the kernel counts it."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MB = 1e6


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process, without its children."""

    cpu_seconds: float
    """User and system."""
    written_bytes: int
    """All that it handed to `write`: to files and sockets, cached or not."""
    memory_mb: float
    """What it has in memory now."""


def usage_of(pid: int) -> Usage:
    """Up to now."""
    process = Path("/proc", str(pid))
    # The command's name, in brackets, may have anything in it; what follows begins with the third field.
    stat = (process / "stat").read_text().rpartition(")")[2].split()
    resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    counters = dict(line.split(": ") for line in (process / "io").read_text().splitlines())
    return Usage((int(stat[11]) + int(stat[12])) / TICKS, int(counters["wchar"]), resident / MB)
