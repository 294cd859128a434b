"""Limits that the kernel keeps for each process of a task by itself, by the names that Docker gives them."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from air_executor.errors import BadInput, quoted
from air_executor.format.documents import validate
from air_executor.format.fields import Spec

UNITS = {
    "core": "bytes",
    "cpu": "seconds",
    "data": "bytes",
    "fsize": "bytes",
    "locks": "locks",
    "memlock": "bytes",
    "msgqueue": "bytes",
    "nice": "20 less the nice value",
    "nofile": "files",
    "rss": "bytes",
    "rtprio": "priority",
    "rttime": "microseconds",
    "sigpending": "signals",
    "stack": "bytes",
}
"""What each is counted in."""
LEAST = {"cpu": 1, "data": 16 << 20, "fsize": 64 << 10, "nofile": 64, "stack": 128 << 10}
"""With less, no command begins."""
MOST = 2**62
"""Docker reads the numbers as signed ones."""
OF_ALL = "the kernel counts processes over all containers of a user; use resources.pids"


class Ulimit(Spec):
    """One limit: `hard` is the most, `soft` what it is until the process itself raises it."""

    soft: int = Field(ge=0, le=MOST, strict=True)
    hard: int = Field(ge=0, le=MOST, strict=True)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.soft > self.hard:
            raise ValueError(f"soft is {self.soft}, and must not be more than hard, which is {self.hard}")
        return self


def _read(value: Any) -> Any:
    if not isinstance(value, dict) or len(value) > len(UNITS) + 1:  # nproc has an answer of its own
        raise ValueError('must be an object such as {"nofile": 4096}, with each limit once')
    return {_known(name): _limit(name, entry) for name, entry in value.items()}


def _known(name: Any) -> str:
    if name == "nproc":
        raise ValueError(f"nproc can't be set for a task: {OF_ALL}")
    if not isinstance(name, str) or name not in UNITS:
        raise ValueError(f"{quoted(name)} is no limit; there are {', '.join(UNITS)}")
    return name


def _limit(name: str, value: Any) -> Any:
    entry = value
    if isinstance(value, int) and not isinstance(value, bool):
        entry = {"soft": value, "hard": value}
    if not isinstance(entry, dict | Ulimit):
        raise ValueError(f'{name} must be a number of {UNITS[name]}, or {{"soft": number, "hard": number}}')
    if isinstance(entry, dict):
        try:
            limit = validate(Ulimit, entry)
        except BadInput as error:
            raise ValueError(f"{name}: {error}; a limit that is not to be set is left out") from None
    else:
        limit = entry
    if limit.soft < LEAST.get(name, 0):
        raise ValueError(f"{name} must be {LEAST[name]} {UNITS[name]} or more, or no command begins")
    return limit


Ulimits = Annotated[dict[str, Ulimit], BeforeValidator(_read)]
"""Limits by name; a bare number is both, soft and hard."""
