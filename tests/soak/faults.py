"""What may happen to a manager, its engine and its containers, and in which order it does."""

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.own_engine import OwnEngine
from tests.real_manager import RealManager


@dataclass(frozen=True)
class Fault:
    """One of KINDS, some time after the one before."""

    kind: str
    after: float
    seconds: float
    """How long it lasts, where it is one that lasts."""
    victim: float
    """Which container, as a fraction of all that are there."""


@dataclass(frozen=True)
class Field:
    """Where faults strike."""

    engine: OwnEngine
    manager: RealManager


def faults(seed: int) -> Iterator[Fault]:
    """For each seed the same ones, without end."""
    dice = Random(f"faults {seed}")
    while True:
        yield Fault(
            kind=dice.choices(list(KINDS), list(WEIGHTS.values()))[0],
            after=round(dice.uniform(0.5, 5), 2),
            seconds=round(dice.uniform(0, 4), 2),
            victim=dice.random(),
        )


def strike(field: Field, fault: Fault) -> None:
    """Do it, and put the engine and the manager back to work."""
    KINDS[fault.kind](field, fault)


# --- One by one --------------------------------------------------------------------------------------------


def _manager_killed(field: Field, fault: Fault) -> None:
    field.manager.kill()
    time.sleep(fault.seconds)
    field.manager.start()


def _manager_stopped(field: Field, fault: Fault) -> None:
    code = field.manager.stop()
    assert code == 0, f"the manager ended with {code} on SIGTERM"
    time.sleep(fault.seconds)
    field.manager.start()


def _container_killed(field: Field, fault: Fault) -> None:
    _docker_at(field, fault, "kill")


def _container_removed(field: Field, fault: Fault) -> None:
    _docker_at(field, fault, "rm", "--force")


def _docker_at(field: Field, fault: Fault, *words: str) -> None:
    """A task's container, or one that holds a network; it may end before the engine hears of this."""
    there = sorted(field.manager.containers("--filter", "status=running"))
    if there:
        victim = there[int(fault.victim * len(there))]
        subprocess.run(["docker", *words, victim], capture_output=True, check=False)


def _engine_restarted(field: Field, fault: Fault) -> None:
    field.engine.restart()


def _engine_killed(field: Field, fault: Fault) -> None:
    field.engine.kill()
    time.sleep(fault.seconds)
    field.engine.start()


def _all_killed(field: Field, fault: Fault) -> None:
    field.engine.kill_all()
    time.sleep(fault.seconds)
    field.engine.start()


def _engine_frozen(field: Field, fault: Fault) -> None:
    field.engine.freeze()
    time.sleep(fault.seconds)
    field.engine.thaw()


KINDS: dict[str, Callable[[Field, Fault], None]] = {
    "manager killed": _manager_killed,
    "manager stopped": _manager_stopped,
    "container killed": _container_killed,
    "container removed": _container_removed,
    "engine restarted": _engine_restarted,
    "engine killed": _engine_killed,
    "engine, shims and tasks killed": _all_killed,
    "engine frozen": _engine_frozen,
}

WEIGHTS: dict[str, int] = dict.fromkeys(KINDS, 1) | {
    "manager killed": 3,
    "container killed": 2,
    "container removed": 2,
}
"""How often each comes. Those that take along all that runs are rare: else little ever ends well."""
