"""The machine's clock that counts from its start: nobody can set it, and it outlives a restart of ours."""

import os
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from air_executor.format.attempts import Instant

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def _boot() -> str:
    return BOOT_ID.read_text().strip()


def instant() -> Instant:
    """Now. Instants of the same `boot` can be compared; containers of a machine share them."""
    with suppress(OSError, AttributeError):  # elsewhere than on Linux
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME)
        return Instant(boot=_boot(), seconds=seconds)
    return Instant(boot=f"process {os.getpid()}", seconds=time.monotonic())
