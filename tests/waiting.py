"""Waiting for something to become true, and not for time to pass."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def until(what: Callable[[], Result], seconds: float = 10, interval: float = 0.005) -> Result:
    """The first true value of `what()`; fails when there is none within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(interval)
