"""Actions: what the state of an attempt calls for, by the engine or in a job's folder. Outcomes are facts."""

from dataclasses import dataclass
from datetime import datetime

from air_executor.format.attempts import Cause
from manager.model.values import AttemptKey


@dataclass(frozen=True, slots=True)
class Inspect:
    """Look what has become of an attempt while no manager ran."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Rest:
    """Tell when the pause of `seconds` between the attempt, which ended at `since`, and the next is over."""

    key: AttemptKey
    seconds: float
    since: datetime


@dataclass(frozen=True, slots=True)
class Create:
    """Create the attempt's container, or adopt the one that is there; up to its gate where it has one."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Start:
    """Start the created container, unless it has begun already; after a restart also one with a gate."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Open:
    """Open the gate of the container that waits, unless its command has begun already."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Replace:
    """Throw away the container that waits at its gate and is stale: another takes its place."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Drop:
    """Throw the container away, unless its command has begun already."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Watch:
    """Copy the running container's output and tell when it has ended."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Signal:
    """Send SIGTERM or SIGKILL to the running container."""

    key: AttemptKey
    signal: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the container; its outcome is on disk."""

    key: AttemptKey


TaskAction = Inspect | Rest | Create | Start | Open | Replace | Drop | Watch | Signal | Remove

EXCLUSIVE = (Inspect, Create, Start, Open, Replace, Drop, Remove)
"""Acts of which an attempt has one under way at most."""
