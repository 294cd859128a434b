"""Opens the gates of containers that wait, and finds out from their receipts what became of them.

A container that can't be used before its gate was opened, for whatever reason, is never the task's failure:
it is *voided*, and the task gets another one, without a gate. What can't be told apart from a command that
began, counts as begun.
"""

import hashlib
import logging
import shutil
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.failpoints import Failpoint, reach
from air_executor.models import utc_now
from manager import gate, workspace
from manager.act import Act
from manager.clocks import instant
from manager.container_spec import CONTROL, RECEIPT, container_name
from manager.engine.base import ContainerGone, Engine, EngineError, Observation, Status
from manager.facts import (
    ContainerExited,
    ContainerLost,
    ContainerStarted,
    ContainerVoided,
    Outcome,
)
from manager.patience import Patience
from manager.slot_keeper import SlotKeeper

log = logging.getLogger(__name__)

Opened = ContainerStarted | ContainerExited | ContainerLost | ContainerVoided

AT_ONCE = 0.5
"""Seconds within which a gate that was given its command answers, unless the machine has no time for it."""
BLINK = 0.0005
"""Seconds between two looks for that answer."""
LATE = 10.0
"""Seconds after which a gate that says nothing is not waited for any longer."""
LEAVING = 5.0
"""Seconds within which the process of a gate that has said its last word ends."""
NEVER_CODE = 75
DENIED_CODE = 126
MISSING_CODE = 127


class Gatekeeper:
    """Used by the workers, from their threads."""

    def __init__(self, engine: Engine, home_id: str, slots: SlotKeeper, patience: Patience) -> None:
        self._engine = engine
        self._home_id = home_id
        self._slots = slots
        self._patience = patience

    def prepare(self, act: Act) -> None:
        """Make the folders of the gate, unless they are there: they may be mounted already."""
        try:
            gate.prepare(act.gate / CONTROL, act.gate / RECEIPT, act.user)
        except FileExistsError:
            if (act.gate / CONTROL / gate.FIFO).exists():  # it is made last
                return
            shutil.rmtree(act.gate)
            gate.prepare(act.gate / CONTROL, act.gate / RECEIPT, act.user)

    def open(self, act: Act) -> Opened:
        """Hand the command over, once, and tell what the gate says to that."""
        reach(Failpoint.GATE_SHUT)
        try:
            content = _frame(act)
            if act.attempt.slot is not None and self._read(act) is None:
                self._patience.again(lambda: self._slots.move_in(act))
        except (EngineError, OSError, BadInput, ValueError) as error:
            log.info("job=%s container=%s can't be used: %s", act.folder.name, act.spec.name, error)
            return self.void(act)
        deadline = time.monotonic() + LATE
        while True:
            receipt, handed_over = self._ask(act, content)
            if receipt is not None:
                return self._by_receipt(act, receipt)
            found = self._observe(act)
            receipt = self._read(act)
            if receipt is not None:
                return self._by_receipt(act, receipt)
            if found is None or found.status is Status.EXITED:
                return _lost(act) if handed_over else self.void(act)
            if time.monotonic() > deadline:
                return _started(act, found.started_at) if handed_over else self.void(act)

    def _ask(self, act: Act, content: bytes) -> tuple[gate.Receipt | None, bool]:
        """The receipt, if it comes at once; and whether the command was handed over, now or before."""
        control = act.gate / CONTROL
        until = time.monotonic() + AT_ONCE
        while time.monotonic() < until:
            receipt = self._read(act)
            if receipt is not None:
                return receipt, True
            if not _was_handed_over(control):
                _hand_over(content, control / gate.FIFO)
            time.sleep(BLINK)
        return None, _was_handed_over(control)

    def void(self, act: Act) -> ContainerVoided | ContainerLost:
        """Remove the container, whose gate nobody has opened, so that another may take its place."""
        self._patience.surely(lambda: self._engine.remove(act.container, self._home_id))
        if isinstance(self._read(act), gate.Began):
            return _lost(act)
        self.clear(act)
        next_key = act.key._replace(incarnation=act.key.incarnation + 1)
        return ContainerVoided(act.key, container_name(self._home_id, act.folder.name, next_key), utc_now())

    def replace(self, act: Act) -> Opened:
        """Void it, unless its command has begun; whoever did that had no time to write it down."""
        receipt = self._read(act)
        return self.void(act) if receipt is None else self._by_receipt(act, receipt)

    def clear(self, act: Act) -> None:
        """Delete the folders of the gate; its container is gone."""
        shutil.rmtree(act.gate, ignore_errors=True)
        if act.attempt.slot is not None:
            self._slots.clear(act.attempt.slot)

    def unusable(self, act: Act, found: Observation) -> str | None:
        """Why the command could not be executed, where the gate found that out at the last moment."""
        receipt = self._read(act) if found.exit_code == DENIED_CODE else None
        if isinstance(receipt, gate.Began) and receipt.failed is not None:
            return f"the command {act.task.command!r} is not executable"
        return None

    def _read(self, act: Act) -> gate.Receipt | None:
        """The receipt; where the machine is short of something, as soon as it is not."""
        while True:
            try:
                return _receipt(act)
            except OSError as error:
                if error.errno not in workspace.SHORT_OF:
                    raise
                self._patience.pause(0.05)

    def _observe(self, act: Act) -> Observation | None:
        try:
            return self._patience.surely(lambda: self._engine.observe(act.container))
        except ContainerGone:
            return None

    def _by_receipt(self, act: Act, receipt: gate.Receipt) -> Opened:
        match receipt:
            case gate.Began():
                return _started(act, receipt.at)
            case gate.Unusable():
                return self._unusable(act, receipt)
            case gate.Never():
                return self._never(act)

    def _unusable(self, act: Act, receipt: gate.Unusable) -> Opened:
        """Confirmed by the exit code as well."""
        found, ended = self._left(act), _unusable(act, receipt)
        if found is None:
            return _lost(act)
        return ended if found.exit_code == ended.outcome.exit_code else _started(act, found.started_at)

    def _left(self, act: Act) -> Observation | None:
        """The container, when its first process has ended, as a gate's does after its last word."""
        deadline = time.monotonic() + LEAVING
        found = self._observe(act)
        while found is not None and found.status is Status.RUNNING and time.monotonic() < deadline:
            self._patience.pause(0.05)
            found = self._observe(act)
        return found

    def _never(self, act: Act) -> Opened:
        """The exit code confirms it: a task that runs can write the same, but is not the gate any more."""
        found = self._left(act)
        if found is None:
            return _lost(act)
        return self.void(act) if found.exit_code == NEVER_CODE else _started(act, found.started_at)


def _receipt(act: Act) -> gate.Receipt | None:
    """What the gate of this attempt has said; nothing where its folders are gone."""
    try:
        receipt = gate.read_receipt(act.gate / RECEIPT)
    except FileNotFoundError:
        return None
    except PermissionError:  # no gate shuts its folder, so the task has begun
        return gate.Began(_nonce(act), utc_now())
    said_by_it = receipt is not None and receipt.nonce in (None, _nonce(act))
    return receipt if said_by_it else None


def _nonce(act: Act) -> str:
    """A gate serves once, so what is unique about its container will do."""
    return hashlib.sha256(act.gate.name.encode()).hexdigest()[:32]


def _was_handed_over(control: Path) -> bool:
    """Whether a manager did: it takes the FIFO away then, so that no task can wait for a second command."""
    return control.is_dir() and not (control / gate.FIFO).exists()


def _frame(act: Act) -> bytes:
    """Raises ValueError where no gate takes as much."""
    # What was made for this task has its variables already.
    env = {} if act.attempt.slot is None else act.spec.env
    return gate.frame(_nonce(act), "", (act.task.command, *act.task.args), env)


def _hand_over(content: bytes, fifo: Path) -> None:
    """Once the gate reads it, the container can begin. What fails may be tried again."""
    with suppress(OSError):
        if gate.open_gate(fifo, content):
            reach(Failpoint.GATE_OPENED)
            fifo.unlink()


def _started(act: Act, at: datetime | None) -> ContainerStarted:
    """It began at `at`, says somebody who may lie: not before its turn, and not in the future."""
    now = utc_now()
    times = act.attempt.timings
    earliest = max(filter(None, (times.container_started_at, times.ready_at)), default=now)
    return ContainerStarted(act.key, min(max(at or now, earliest), now), now, instant())


def _lost(act: Act) -> ContainerLost:
    message = f"the container {act.spec.name} of task {act.task.id!r} is gone, and its outcome with it"
    return ContainerLost(act.key, message, utc_now())


def _unusable(act: Act, receipt: gate.Unusable) -> ContainerExited:
    """In the words in which the engine says it of a container without a gate."""
    now = utc_now()
    match receipt.problem:
        case "missing":
            code, why = MISSING_CODE, f"there is no command {act.task.command!r} in the image"
        case "denied":
            code, why = DENIED_CODE, f"the command {act.task.command!r} is not executable"
        case "workdir":
            code, why = DENIED_CODE, f"the working directory {act.spec.workdir!r} can't be used"
    return ContainerExited(act.key, Outcome(code, False, now, now, why), now)
