"""PURE. Actions: what the state of an attempt calls for. Their outcomes are facts."""

from dataclasses import dataclass
from datetime import datetime

from air_executor.format.attempts import Cause
from manager.model.values import AttemptKey

KILL = "SIGKILL"
"""What ends a container that has not ended in time."""


@dataclass(frozen=True, slots=True)
class ForAttempt:
    """Something to be done for one attempt."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Inspect(ForAttempt):
    """Look what has become of an attempt while no manager ran."""


@dataclass(frozen=True, slots=True)
class Rest(ForAttempt):
    """Tell when the pause of `seconds` between the attempt, which ended at `since`, and the next is over."""

    seconds: float
    since: datetime


@dataclass(frozen=True, slots=True)
class Create(ForAttempt):
    """Create the attempt's container, or adopt the one that is there; up to its gate where it has one."""


@dataclass(frozen=True, slots=True)
class Start(ForAttempt):
    """Start the created container, unless it has begun already; after a restart also one with a gate."""


@dataclass(frozen=True, slots=True)
class Open(ForAttempt):
    """Open the gate of the container that waits, unless its command has begun already."""


@dataclass(frozen=True, slots=True)
class Replace(ForAttempt):
    """Throw away the container that waits at its gate and is stale: another takes its place."""


@dataclass(frozen=True, slots=True)
class Drop(ForAttempt):
    """Throw the container away, unless its command has begun already."""


@dataclass(frozen=True, slots=True)
class Watch(ForAttempt):
    """Copy the running container's output and tell when it has ended."""


@dataclass(frozen=True, slots=True)
class Linger(ForAttempt):
    """Its gate has said that it succeeded: give the container a moment to end by itself."""


@dataclass(frozen=True, slots=True)
class Signal(ForAttempt):
    """Send the stop signal of its image, or SIGKILL, to the running container."""

    signal: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Hurry(ForAttempt):
    """It is being stopped, and nobody wants to wait as long as it may take for that."""


@dataclass(frozen=True, slots=True)
class Remove(ForAttempt):
    """Remove the container; its outcome is on disk."""


EngineAction = Inspect | Create | Start | Open | Replace | Drop | Signal | Remove
"""Those that ask something of the engine, and have an answer."""
TaskAction = EngineAction | Rest | Watch | Linger | Hurry

EXCLUSIVE = (Inspect, Create, Start, Open, Replace, Drop, Remove)
"""Acts of which an attempt has one under way at most."""
