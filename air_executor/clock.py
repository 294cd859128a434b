"""What time it is: by the wall clock, which people set, and by boot time, which nobody can."""

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Instant(BaseModel):
    """A moment by the machine's clock that counts from its start, which nobody can set."""

    model_config = ConfigDict(frozen=True, extra="allow")

    boot: str
    """Which start of the machine it counts from."""
    seconds: float


def utc_now() -> datetime:
    """The current time, UTC."""
    return datetime.now(UTC)


def instant() -> Instant:
    """Now. Instants of the same `boot` can be compared; containers of a machine share them.

    The clock outlives a restart of this process.
    """
    with suppress(OSError, AttributeError):  # elsewhere than on Linux
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME)
        return Instant(boot=_boot(), seconds=seconds)
    return Instant(boot=f"process {os.getpid()}", seconds=time.monotonic())


@cache
def _boot() -> str:
    return BOOT_ID.read_text().strip()
