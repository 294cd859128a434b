"""What a job's record says, to the manager alone, of how far it may still go."""

from typing import Literal

from air_executor.clock import Instant
from air_executor.format.attempts import Failure
from air_executor.format.fields import Record, Time


class Halt(Record):
    """The job was called off, and how far."""

    of: Literal["work", "all"]
    """`work`: cleanup still runs. `all`: nothing begins any more."""
    failure: Failure
    """Why; the job's own failure is the first that it met, which may have been another."""
    marker: str | None = None
    """Which `cancel` has been heeded: one that was made later is another one."""


class TimeLimit(Record):
    """How long the job may take, and since when; decided when it was taken."""

    seconds: float
    at: Time
    since: Instant | None = None
    """By the clock that nobody can set."""
