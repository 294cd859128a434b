"""Opens the gates of containers that wait, and finds out from their receipts what became of them.

A container that can't be used before its gate was opened, for whatever reason, is never the task's failure:
it is *voided*, and the task gets another one. What can't be told apart from a command that began, counts as
begun.
"""

import errno
import hashlib
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial

from air_executor.clock import instant, utc_now
from air_executor.errors import quoted
from air_executor.failpoints import Failpoint, reach
from air_executor.format import layout
from air_executor.format.arguments import Unresolved
from air_executor.format.attempts import Cause, Failure, Phase
from manager.engine.contract import (
    CommandUnusable,
    ContainerGone,
    Engine,
    ImageMissing,
    Observation,
    Status,
)
from manager.engine.of_image import of_image
from manager.engine.retry import LONGEST_PAUSE, Retry, Stopped
from manager.folder import result_file, workspace
from manager.folder.secret_values import SecretUnreadable
from manager.folder.trouble import TRANSIENT
from manager.gates import gate_folder, protocol, unusable
from manager.gates.end_listener import EndListener
from manager.gates.secret_keeper import SecretKeeper, Secrets
from manager.gates.warm_keeper import WarmKeeper
from manager.model import containers
from manager.model.assignment import Assignment
from manager.model.facts import (
    ContainerExited,
    ContainerLost,
    ContainerStarted,
    ContainerVoided,
    ContainerWaiting,
    LaunchFailed,
)
from manager.model.image_facts import ImageFacts, check_words
from manager.model.values import AttemptKey, ExitResult

log = logging.getLogger(__name__)

Opened = ContainerStarted | ContainerExited | ContainerLost | ContainerVoided | LaunchFailed

AT_ONCE = 0.5
"""Seconds within which a gate that was given its command answers, unless the machine has no time for it."""
BLINK = 0.0005
"""Seconds between the first two looks for that answer; the longer it takes, the longer they get."""
LATE = 10.0
"""Seconds after which a gate that says nothing is not waited for any longer."""
LEAVING = 5.0
"""Seconds within which the process of a gate that has said its last word ends."""
NOT_ITS_FAULT = (None, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""What a gate tells of a command that can be executed: no failure; or too many processes or open files, or no
memory."""
DENIED_CODE = 126
MISSING_CODE = 127


class Gatekeeper:
    """Used by the workers, from their threads."""

    def __init__(
        self,
        engine: Engine,
        home_id: str,
        keeper: WarmKeeper,
        ends: EndListener,
        secrets: SecretKeeper,
        retry: Retry,
    ) -> None:
        self._engine = engine
        self._home_id = home_id
        self._keeper = keeper
        self._ends = ends
        self._secrets = secrets
        self._retry = retry

    def prepare(self, assignment: Assignment) -> None:
        """Make the folders of the gate, unless they are there: they may be mounted already."""
        try:
            gate_folder.prepare(assignment.gate.control, assignment.gate.receipt, assignment.user)
        except FileExistsError:
            if assignment.gate.fifo.exists():  # it is made last
                return
            shutil.rmtree(assignment.gate.path)
            gate_folder.prepare(assignment.gate.control, assignment.gate.receipt, assignment.user)

    def start(self, assignment: Assignment, container: str) -> ContainerWaiting | ContainerVoided:
        """Have its gate wait. Raises EngineError."""
        found = self._retry.until_answered(lambda: self._engine.start(container))
        if found.status is not Status.RUNNING:
            return self.void(assignment, f"its gate ended at once, with {found.exit_code}")
        reach(Failpoint.WAITING_UNRECORDED)
        learned = of_image(self._engine, self._retry, found.image_id)
        _check_words(assignment, learned)
        now = utc_now()
        return ContainerWaiting(
            key=assignment.key,
            container_id=found.id,
            image_id=found.image_id,
            created_at=found.created_at,
            container_started_at=found.started_at or now,
            of_image=learned,
            at=now,
        )

    def open(self, assignment: Assignment) -> Opened:
        """Hand the command over, once, and tell what the gate says to that.

        Raises Unresolved where results that its arguments name are not there: then it never begins.
        """
        reach(Failpoint.GATE_SHUT)
        if self._was_voided(assignment):
            return self.void(assignment)
        if not self._was_opened(assignment):
            try:
                content = _frame(assignment, self._secrets.hand_out(assignment))
                if assignment.attempt.warm is not None:
                    self._retry.until_answered(lambda: self._keeper.vouch_for(assignment))
                elif assignment.attempt.premade and len(assignment.sharers) > 1:
                    self._keeper.share(assignment)  # what was made since it waits
                self._give_results(assignment)
            except (Stopped, Unresolved):
                raise
            except SecretUnreadable as error:
                message = f"task {assignment.task.id!r} could not be started: {error}"
                failure = Failure(cause=Cause.ENGINE, message=message)
                return LaunchFailed(key=assignment.key, failure=failure, at=utc_now())
            except Exception as error:  # whatever it is: nothing was handed over yet
                log.info(
                    "job=%s container=%s can't be used: %s",
                    assignment.folder.name,
                    assignment.spec.name,
                    error,
                )
                return self.void(assignment, str(error))
            if not self._hand_over(assignment, content):
                return self.void(assignment, "its gate was not there, or did not take the command")
            reach(Failpoint.GATE_OPENED)
        return self._await(assignment)

    def _give_results(self, assignment: Assignment) -> None:
        """Have them there, as soon as the machine has room for them."""
        while assignment.grant.result_kb is not None:
            try:
                if not (assignment.gate.inbox / layout.RESULT).exists():  # an older manager made the inbox
                    gate_folder.prepare_inbox(assignment.gate, assignment.user)
                result_file.give(assignment.gate.inbox, assignment.results)
                return
            except OSError as error:
                if error.errno not in TRANSIENT:
                    raise
                log.error("job=%s has no room for results: %s", assignment.folder.name, error)
                self._retry.sleep(LONGEST_PAUSE)

    def listen(self, assignment: Assignment) -> None:
        """Hear from here on that the command has ended: that it began has been told."""
        self._ends.listen(assignment)

    def signalled(self, assignment: Assignment, exit_code: int | None) -> bool | None:
        """Whether a signal ended the command, which its exit code does not tell; None where no gate said.

        A manager that was not there to hear it finds it in the receipt.
        """
        end = self._ends.last_word(assignment.key) or self._left_word(assignment)
        if end is None or end.signal is None or end.exit_code != exit_code:
            return None
        if end.signal and exit_code != 128 + end.signal:  # no gate says so
            return None
        return end.signal != 0

    def _left_word(self, assignment: Assignment) -> protocol.Ended | None:
        receipt = self._read(assignment)
        return receipt.ended if isinstance(receipt, protocol.Began) else None

    def forget(self, key: AttemptKey) -> None:
        """The attempt is over: nothing more is to be heard of it."""
        self._ends.forget(key)
        self._secrets.forget(key)

    def void(self, assignment: Assignment, why: str = "") -> ContainerVoided:
        """Remove the container, whose gate nobody has opened, so that another may take its place."""
        self._retry.until_done(lambda: self._engine.remove(assignment.container, self._home_id))
        self.clear(assignment)
        reach(Failpoint.VOIDED_UNRECORDED)
        return ContainerVoided(key=assignment.key, at=utc_now(), why=why)

    def replace(self, assignment: Assignment) -> Opened:
        """Void it, unless its command may have begun; whoever did that had no time to write it down."""
        asked_for = assignment.attempt.phase is Phase.WAITING and assignment.attempt.needed
        opened = asked_for and not self._was_voided(assignment) and self._was_opened(assignment)
        return self._await(assignment) if opened else self.void(assignment)

    def _was_voided(self, assignment: Assignment) -> bool:
        """By somebody who had no time to write it down: nobody else clears a gate before its outcome."""
        return not assignment.gate.path.exists() and self._observe(assignment) is None

    def _was_opened(self, assignment: Assignment) -> bool:
        """Whether the command may have been handed over: whoever does that takes the FIFO away first.

        After a power cut the FIFO may be there again; a receipt is not there for nothing.
        """
        return not assignment.gate.fifo.exists() or self._read(assignment) is not None

    def _hand_over(self, assignment: Assignment, content: bytes) -> bool:
        """Whether the whole command was; if not, it can't begin."""
        began = time.monotonic()
        look = began + AT_ONCE
        take_end = partial(self._ends.hold, assignment.key)
        while time.monotonic() < began + LATE:
            with suppress(OSError):  # the machine is short of something; it may be tried again
                handed_over = gate_folder.open_gate(assignment.gate.fifo, content, take_end=take_end)
                if handed_over is not None:
                    return handed_over
            if time.monotonic() > look:
                found = self._observe(assignment)
                if found is None or found.status is Status.EXITED:
                    return False
                look = time.monotonic() + AT_ONCE
            self._retry.sleep(_blink(began))
        return False

    def _await(self, assignment: Assignment) -> Opened:
        """What became of a container whose command was handed over."""
        deadline = time.monotonic() + LATE
        while True:
            since = time.monotonic()
            while (receipt := self._read(assignment)) is None and time.monotonic() < since + AT_ONCE:
                time.sleep(_blink(since))
            if receipt is not None:
                return self._by_receipt(assignment, receipt)
            found = self._observe(assignment)
            receipt = self._read(assignment)
            if receipt is not None:
                return self._by_receipt(assignment, receipt)
            if found is None:
                return lost(assignment)
            if found.status is Status.EXITED:
                begun = self._has_begun(assignment, found)
                return _started(assignment, found.started_at) if begun else lost(assignment)
            if time.monotonic() > deadline:
                return _started(assignment, found.started_at)

    def _has_begun(self, assignment: Assignment, found: Observation) -> bool:
        """Whether its end tells that the command began, whatever has become of the receipt.

        No gate ends with 0 before, or says how a command has ended.
        """
        return found.exit_code == 0 or self._ends.last_word(assignment.key) is not None

    def clear(self, assignment: Assignment) -> None:
        """Delete what was the container's alone: that is gone."""
        aside = assignment.gate.path.with_name(f".{assignment.gate.path.name}")  # at once, or not at all
        with suppress(OSError):
            assignment.gate.path.rename(aside)
        workspace.delete(aside)
        if assignment.attempt.warm is not None:
            self._keeper.forget(assignment.attempt.warm)

    def unusable(self, assignment: Assignment, found: Observation) -> str | None:
        """Why the command could not be executed, where the gate found that out at the last moment."""
        receipt = self._read(assignment) if found.exit_code == DENIED_CODE else None
        if isinstance(receipt, protocol.Began) and receipt.failed not in NOT_ITS_FAULT:
            return unusable.sentence(assignment, "denied", receipt.flaw)
        return None

    def _read(self, assignment: Assignment) -> protocol.Receipt | None:
        """The receipt; where the machine is short of something, as soon as it is not."""
        while True:
            try:
                return _receipt(assignment)
            except OSError as error:
                if error.errno not in TRANSIENT:
                    raise
                self._retry.sleep(0.05)

    def _observe(self, assignment: Assignment) -> Observation | None:
        try:
            return self._retry.until_done(lambda: self._engine.observe(assignment.container))
        except ContainerGone:
            return None

    def _by_receipt(self, assignment: Assignment, receipt: protocol.Receipt) -> Opened:
        match receipt:
            case protocol.Began():
                return _started(assignment, receipt.at)
            case protocol.Unusable():
                return self._unusable(assignment, receipt)
            case protocol.Never():
                return self._never(assignment, receipt)

    def _unusable(self, assignment: Assignment, receipt: protocol.Unusable) -> Opened:
        """Confirmed by the exit code as well."""
        found, ended = self._left(assignment), _unusable(assignment, receipt)
        if found is None:
            return lost(assignment)
        return ended if found.exit_code == ended.result.exit_code else _started(assignment, found.started_at)

    def _left(self, assignment: Assignment) -> Observation | None:
        """The container, when its first process has ended, as a gate's does after its last word."""
        deadline = time.monotonic() + LEAVING
        found = self._observe(assignment)
        while found is not None and found.status is Status.RUNNING and time.monotonic() < deadline:
            self._retry.sleep(0.05)
            found = self._observe(assignment)
        return found

    def _never(self, assignment: Assignment, receipt: protocol.Never) -> Opened:
        """A task that runs can write that as well, but for the token, which it has never seen."""
        if gate_folder.is_honest(receipt, assignment.gate.token):
            return self.void(assignment, f"its gate has left: {receipt.reason}")
        found = self._left(assignment)
        return lost(assignment) if found is None else _started(assignment, found.started_at)


def _check_words(assignment: Assignment, learned: ImageFacts | None) -> None:
    """Raises CommandUnusable where the image is to say what is executed, and does not."""
    task, image = assignment.task, assignment.grant.image
    if not task.runs_the_images:
        return
    if learned is None:
        raise ImageMissing(f"the engine does not tell what the image {quoted(image)} runs")
    try:
        check_words(task.words, image, learned)
    except ValueError as error:
        raise CommandUnusable(str(error)) from None


def _blink(since: float) -> float:
    return BLINK + (time.monotonic() - since) / 8


def _receipt(assignment: Assignment) -> protocol.Receipt | None:
    """What the gate of this attempt has said; nothing where its folders are gone."""
    try:
        receipt = gate_folder.read_receipt(assignment.gate.receipt)
    except FileNotFoundError:
        return None
    except PermissionError:  # no gate shuts its folder, so the task has begun
        return protocol.Began(_nonce(assignment), utc_now())
    if isinstance(receipt, protocol.Never):
        return receipt
    return receipt if receipt is not None and receipt.nonce == _nonce(assignment) else None


def _nonce(assignment: Assignment) -> str:
    """A gate serves once, so what is unique about its container will do."""
    return hashlib.sha256(assignment.gate.path.name.encode()).hexdigest()[:32]


def _frame(assignment: Assignment, secrets: Secrets) -> bytes:
    """Raises ValueError where no gate takes as much, OSError where what it has mounted is not there."""
    # Also where the container was made with them: a runtime changes some, as an empty HOME.
    env, words = assignment.spec.env, assignment.words
    workdir = containers.workdir_of(assignment.task)
    env, mounts = env | secrets.variables, tuple(_mounts(assignment))
    return protocol.frame(_nonce(assignment), workdir, words, env, mounts, secrets.files)


def _mounts(assignment: Assignment) -> Iterator[protocol.Mounted]:
    """What the container must have; one that an older manager made has its folders elsewhere."""
    for place, folder in ((containers.WORK, assignment.work), (containers.INBOX, assignment.gate.inbox)):
        if folder.exists():
            yield gate_folder.mounted(place, folder)


def _started(assignment: Assignment, at: datetime | None) -> ContainerStarted:
    """It began at `at`, says somebody who may lie: not before its turn, and not in the future.

    Unless the clock was set back meanwhile: then no time is right, but none may be negative.
    """
    now = utc_now()
    times = assignment.attempt.timings
    earliest = max(filter(None, (times.container_started_at, times.ready_at)), default=now)
    return ContainerStarted(
        key=assignment.key, started_at=max(min(at or now, now), earliest), at=now, instant=instant()
    )


def lost(assignment: Assignment) -> ContainerLost:
    """Nobody knows how its command ended, or whether it began."""
    whose = f"the container {assignment.spec.name} of task {assignment.task.id!r}"
    message = f"{whose} is gone, and its outcome with it"
    return ContainerLost(key=assignment.key, message=message, at=utc_now())


def _unusable(assignment: Assignment, receipt: protocol.Unusable) -> ContainerExited:
    now = utc_now()
    code = MISSING_CODE if receipt.problem == "missing" else DENIED_CODE
    why = unusable.sentence(assignment, receipt.problem, receipt.flaw)
    return ContainerExited(key=assignment.key, result=ExitResult(code, False, now, now, why), at=now)
