"""PURE. Signals that images declare to be stopped by (STOPSIGNAL), as Docker reads them: a name with `SIG` or
without, a number, or a real-time signal such as `SIGRTMIN+3`."""

import re
import signal

USUAL = "SIGTERM"
REALTIME = (34, 64)
"""The first and the last that are left to programs, by the C libraries of Linux."""

_REALTIME = re.compile(r"RT(MIN|MAX)(?:([+-])([0-9]{1,2}))?", re.ASCII)
_NUMBERS = {each.name.removeprefix("SIG"): each.value for each in signal.Signals}


def number_of(name: str) -> int | None:
    """None for what is no signal."""
    text = name.strip().upper().removeprefix("SIG")
    if text.isascii() and text.isdecimal() and len(text) < 3:
        number = int(text)
    elif found := _REALTIME.fullmatch(text):
        first, last = REALTIME
        start = first if found[1] == "MIN" else last
        number = start + int(f"{found[2]}{found[3]}") if found[2] else start
        return number if first <= number <= last else None
    else:
        number = _NUMBERS.get(text, 0)
    return number if 1 <= number <= REALTIME[1] else None


def stop_signal(declared: str) -> str:
    """In the one form that it has here; the usual one where none is declared, or none that there is."""
    number = number_of(declared)
    if number is None:
        return USUAL
    if number >= REALTIME[0]:
        return f"SIGRTMIN+{number - REALTIME[0]}" if number > REALTIME[0] else "SIGRTMIN"
    try:
        return signal.Signals(number).name
    except ValueError:
        return USUAL
