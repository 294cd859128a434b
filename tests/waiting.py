"""Waiting for something to become true, and not for time to pass."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def until(what: Callable[[], Result], seconds: float = 30, interval: float = 0.005) -> Result:
    """The first true value of `what()`; fails when there is none within so many seconds.

    The default is no claim about speed: a machine that has ten times the work it can do keeps it as well.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(interval)
