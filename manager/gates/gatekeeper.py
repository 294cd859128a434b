"""Opens the gates of containers that wait, and finds out from their receipts what became of them.

A container that can't be used before its gate was opened, for whatever reason, is never the task's failure:
it is *voided*, and the task gets another one, without a gate. What can't be told apart from a command that
began, counts as begun.
"""

import errno
import hashlib
import logging
import shutil
import time
from contextlib import suppress
from datetime import datetime
from functools import partial

from air_executor.clock import instant, utc_now
from air_executor.errors import BadInput
from air_executor.failpoints import Failpoint, reach
from air_executor.format.attempts import Phase
from manager.engine.contract import ContainerGone, Engine, EngineError, Observation, Status
from manager.engine.retry import Retry
from manager.folder import workspace
from manager.gates import gate_folder, protocol
from manager.gates.end_listener import EndListener
from manager.gates.warm_keeper import WarmKeeper
from manager.model.assignment import Act
from manager.model.facts import (
    ContainerExited,
    ContainerLost,
    ContainerStarted,
    ContainerVoided,
    ContainerWaiting,
)
from manager.model.values import ExitResult

log = logging.getLogger(__name__)

Opened = ContainerStarted | ContainerExited | ContainerLost | ContainerVoided

AT_ONCE = 0.5
"""Seconds within which a gate that was given its command answers, unless the machine has no time for it."""
BLINK = 0.0005
"""Seconds between the first two looks for that answer; the longer it takes, the longer they get."""
LATE = 10.0
"""Seconds after which a gate that says nothing is not waited for any longer."""
LEAVING = 5.0
"""Seconds within which the process of a gate that has said its last word ends."""
NOT_ITS_FAULT = (None, errno.EAGAIN, errno.ENOMEM)
"""What a gate tells of a command that can be executed: no failure, or too many processes, or no memory."""
DENIED_CODE = 126
MISSING_CODE = 127


class Gatekeeper:
    """Used by the workers, from their threads."""

    def __init__(
        self, engine: Engine, home_id: str, pool: WarmKeeper, ends: EndListener, retry: Retry
    ) -> None:
        self._engine = engine
        self._home_id = home_id
        self._pool = pool
        self._ends = ends
        self._retry = retry

    def prepare(self, act: Act) -> None:
        """Make the folders of the gate, unless they are there: they may be mounted already."""
        try:
            gate_folder.prepare(act.gate.control, act.gate.receipt, act.user)
        except FileExistsError:
            if act.gate.fifo.exists():  # it is made last
                return
            shutil.rmtree(act.gate.path)
            gate_folder.prepare(act.gate.control, act.gate.receipt, act.user)

    def start(self, act: Act, container: str) -> ContainerWaiting | ContainerVoided:
        """Have its gate wait. Raises EngineError."""
        found = self._retry.until_answered(lambda: self._engine.start(container))
        if found.status is not Status.RUNNING:
            return self.void(act)
        reach(Failpoint.WAITING_UNRECORDED)
        now = utc_now()
        return ContainerWaiting(
            key=act.key,
            container_id=found.id,
            image_id=found.image_id,
            created_at=found.created_at,
            container_started_at=found.started_at or now,
            at=now,
        )

    def open(self, act: Act) -> Opened:
        """Hand the command over, once, and tell what the gate says to that."""
        reach(Failpoint.GATE_SHUT)
        if self._was_voided(act):
            return self.void(act)
        if not self._was_opened(act):
            try:
                content = _frame(act)
                if act.attempt.warm is not None:
                    self._retry.until_answered(lambda: self._pool.move_in(act))
            except (EngineError, OSError, BadInput, ValueError) as error:
                log.info("job=%s container=%s can't be used: %s", act.folder.name, act.spec.name, error)
                return self.void(act)
            if not self._hand_over(act, content):
                return self.void(act)
            reach(Failpoint.GATE_OPENED)
        return self._await(act)

    def void(self, act: Act) -> ContainerVoided:
        """Remove the container, whose gate nobody has opened, so that another may take its place."""
        self._retry.until_done(lambda: self._engine.remove(act.container, self._home_id))
        self.clear(act)
        reach(Failpoint.VOIDED_UNRECORDED)
        return ContainerVoided(key=act.key, at=utc_now())

    def replace(self, act: Act) -> Opened:
        """Void it, unless its command may have begun; whoever did that had no time to write it down."""
        asked_for = act.attempt.phase is Phase.WAITING and act.attempt.needed
        opened = asked_for and not self._was_voided(act) and self._was_opened(act)
        return self._await(act) if opened else self.void(act)

    def _was_voided(self, act: Act) -> bool:
        """By somebody who had no time to write it down: nobody else clears a gate before its outcome."""
        return not act.gate.path.exists() and self._observe(act) is None

    def _was_opened(self, act: Act) -> bool:
        """Whether the command may have been handed over: whoever does that takes the FIFO away first.

        After a power cut the FIFO may be there again; a receipt is not there for nothing.
        """
        return not act.gate.fifo.exists() or self._read(act) is not None

    def _hand_over(self, act: Act, content: bytes) -> bool:
        """Whether the whole command was; if not, it can't begin."""
        began = time.monotonic()
        look = began + AT_ONCE
        take_end = partial(self._ends.hold, act.key)
        while time.monotonic() < began + LATE:
            with suppress(OSError):  # the machine is short of something; it may be tried again
                handed_over = gate_folder.open_gate(act.gate.fifo, content, take_end=take_end)
                if handed_over is not None:
                    return handed_over
            if time.monotonic() > look:
                found = self._observe(act)
                if found is None or found.status is Status.EXITED:
                    return False
                look = time.monotonic() + AT_ONCE
            self._retry.sleep(_blink(began))
        return False

    def _await(self, act: Act) -> Opened:
        """What became of a container whose command was handed over."""
        deadline = time.monotonic() + LATE
        while True:
            since = time.monotonic()
            while (receipt := self._read(act)) is None and time.monotonic() < since + AT_ONCE:
                time.sleep(_blink(since))
            if receipt is not None:
                return self._by_receipt(act, receipt)
            found = self._observe(act)
            receipt = self._read(act)
            if receipt is not None:
                return self._by_receipt(act, receipt)
            if found is None or found.status is Status.EXITED:
                return lost(act)
            if time.monotonic() > deadline:
                return _started(act, found.started_at)

    def clear(self, act: Act) -> None:
        """Delete the folders of the gate; its container is gone."""
        aside = act.gate.path.with_name(f".{act.gate.path.name}")  # at once, or not at all
        with suppress(OSError):
            act.gate.path.rename(aside)
        workspace.delete(aside)
        if act.attempt.warm is not None:
            self._pool.clear(act.attempt.warm)

    def unusable(self, act: Act, found: Observation) -> str | None:
        """Why the command could not be executed, where the gate found that out at the last moment."""
        receipt = self._read(act) if found.exit_code == DENIED_CODE else None
        if isinstance(receipt, protocol.Began) and receipt.failed not in NOT_ITS_FAULT:
            return f"the command {act.task.command!r} is not executable"
        return None

    def _read(self, act: Act) -> protocol.Receipt | None:
        """The receipt; where the machine is short of something, as soon as it is not."""
        while True:
            try:
                return _receipt(act)
            except OSError as error:
                if error.errno not in workspace.TRANSIENT:
                    raise
                self._retry.sleep(0.05)

    def _observe(self, act: Act) -> Observation | None:
        try:
            return self._retry.until_done(lambda: self._engine.observe(act.container))
        except ContainerGone:
            return None

    def _by_receipt(self, act: Act, receipt: protocol.Receipt) -> Opened:
        match receipt:
            case protocol.Began():
                return _started(act, receipt.at)
            case protocol.Unusable():
                return self._unusable(act, receipt)
            case protocol.Never():
                return self._never(act, receipt)

    def _unusable(self, act: Act, receipt: protocol.Unusable) -> Opened:
        """Confirmed by the exit code as well."""
        found, ended = self._left(act), _unusable(act, receipt)
        if found is None:
            return lost(act)
        return ended if found.exit_code == ended.result.exit_code else _started(act, found.started_at)

    def _left(self, act: Act) -> Observation | None:
        """The container, when its first process has ended, as a gate's does after its last word."""
        deadline = time.monotonic() + LEAVING
        found = self._observe(act)
        while found is not None and found.status is Status.RUNNING and time.monotonic() < deadline:
            self._retry.sleep(0.05)
            found = self._observe(act)
        return found

    def _never(self, act: Act, receipt: protocol.Never) -> Opened:
        """A task that runs can write that as well, but for the token, which it has never seen."""
        if gate_folder.is_honest(receipt, act.gate.control):
            return self.void(act)
        found = self._left(act)
        return lost(act) if found is None else _started(act, found.started_at)


def _blink(since: float) -> float:
    return BLINK + (time.monotonic() - since) / 8


def _receipt(act: Act) -> protocol.Receipt | None:
    """What the gate of this attempt has said; nothing where its folders are gone."""
    try:
        receipt = gate_folder.read_receipt(act.gate.receipt)
    except FileNotFoundError:
        return None
    except PermissionError:  # no gate shuts its folder, so the task has begun
        return protocol.Began(_nonce(act), utc_now())
    if isinstance(receipt, protocol.Never):
        return receipt
    return receipt if receipt is not None and receipt.nonce == _nonce(act) else None


def _nonce(act: Act) -> str:
    """A gate serves once, so what is unique about its container will do."""
    return hashlib.sha256(act.gate.path.name.encode()).hexdigest()[:32]


def _frame(act: Act) -> bytes:
    """Raises ValueError where no gate takes as much."""
    # What was made for this task has its variables already.
    env = {} if act.attempt.warm is None else act.spec.env
    return protocol.frame(_nonce(act), "", (act.task.command, *act.task.args), env)


def _started(act: Act, at: datetime | None) -> ContainerStarted:
    """It began at `at`, says somebody who may lie: not before its turn, and not in the future.

    Unless the clock was set back meanwhile: then no time is right, but none may be negative.
    """
    now = utc_now()
    times = act.attempt.timings
    earliest = max(filter(None, (times.container_started_at, times.ready_at)), default=now)
    return ContainerStarted(
        key=act.key, started_at=max(min(at or now, now), earliest), at=now, instant=instant()
    )


def lost(act: Act) -> ContainerLost:
    """Nobody knows how its command ended, or whether it began."""
    message = f"the container {act.spec.name} of task {act.task.id!r} is gone, and its outcome with it"
    return ContainerLost(key=act.key, message=message, at=utc_now())


def _unusable(act: Act, receipt: protocol.Unusable) -> ContainerExited:
    """In the words in which the engine says it of a container without a gate."""
    now = utc_now()
    match receipt.problem:
        case "missing":
            code, why = MISSING_CODE, f"there is no command {act.task.command!r} in the image"
        case "denied":
            code, why = DENIED_CODE, f"the command {act.task.command!r} is not executable"
        case "workdir":
            code, why = DENIED_CODE, f"the working directory {act.spec.workdir!r} can't be used"
    return ContainerExited(key=act.key, result=ExitResult(code, False, now, now, why), at=now)
