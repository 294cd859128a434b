"""Hears from gates that their commands have ended, long before the engine says so of their containers."""

import logging
import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress

from air_executor.clock import utc_now
from air_executor.errors import BadInput
from air_executor.failpoints import Failpoint, reach
from manager.folder import deliveries
from manager.folder.inbox import are_many_left, left_by
from manager.folder.secret_values import SecretUnreadable
from manager.gates import gate_folder, protocol
from manager.gates.protocol import Ended
from manager.gates.secret_keeper import SecretKeeper
from manager.model.assignment import Assignment
from manager.model.facts import CommandSucceeded, Fact
from manager.model.values import AttemptKey

log = logging.getLogger(__name__)


class EndListener:
    """Listens in a thread of its own. Only successes are told: for a failure nobody waits to go on.

    What the task has left in the inbox is told first: it comes before its dependants. Whoever records a
    failure asks for the gate's `last_word`.

    A manager that is started again hears nothing of commands that were begun before: it waits for the engine.
    """

    def __init__(self, secrets: SecretKeeper, emit: Callable[[Fact], None]) -> None:
        self._secrets = secrets
        self._emit = emit
        self._poll = select.epoll()
        self._lock = threading.Lock()
        """Held while a descriptor is closed or read, so that none is read that is somebody else's by now."""
        self._handles: dict[AttemptKey, int] = {}
        self._heard: dict[int, Assignment] = {}
        self._words: dict[AttemptKey, Ended] = {}
        """What gates have said, until the attempt is over."""
        self._thread = threading.Thread(target=self._run, name="end listener", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def hold(self, key: AttemptKey, handle: int) -> None:
        """Own the descriptor on which the attempt's gate will speak."""
        with self._lock:
            self._handles[key] = handle

    def listen(self, assignment: Assignment) -> None:
        """Tell of the end from here on, also of one that was before: its begin has been told of."""
        with self._lock:
            handle = self._handles.get(assignment.key)
            if handle is not None:
                self._heard[handle] = assignment
                self._poll.register(handle, select.EPOLLIN)

    def last_word(self, key: AttemptKey) -> Ended | None:
        """What the attempt's gate has said of the end, whoever has read it; None where it was not heard."""
        with self._lock:
            handle = self._handles.get(key)
            if handle is not None:
                with suppress(BlockingIOError):
                    self._read(key, handle)
            return self._words.get(key)

    def forget(self, key: AttemptKey) -> None:
        """The attempt is over, and nothing more is to be heard of it."""
        with self._lock:
            self._words.pop(key, None)
            self._turn_away(key)

    def _run(self) -> None:
        while True:
            for handle, _ in self._poll.poll():
                try:
                    self._hear(handle)
                except Exception:
                    log.exception("what a gate said can't be told; the engine will")
                    with self._lock:
                        assignment = self._heard.get(handle)
                        if assignment is not None:
                            self._turn_away(assignment.key)

    def _turn_away(self, key: AttemptKey) -> None:
        handle = self._handles.pop(key, None)
        if handle is not None:
            self._heard.pop(handle, None)
            os.close(handle)  # and with it goes the registration

    def _read(self, key: AttemptKey, handle: int) -> Ended | None:
        """A gate speaks once. Raises BlockingIOError while it has not, and has not left."""
        if key not in self._words:
            end = protocol.parse_end(os.read(handle, gate_folder.MAX_END_BYTES))
            if end is not None:
                self._words[key] = end
        return self._words.get(key)

    def _hear(self, handle: int) -> None:
        with self._lock:
            assignment = self._heard.get(handle)
            if assignment is None:
                return
            try:
                end = self._read(assignment.key, handle)
            except BlockingIOError:
                return
            self._turn_away(assignment.key)
        # What takes a while is for the thread that follows the container: nobody else waits for that one.
        outputs, inbox = assignment.task.outputs, assignment.gate.inbox
        if end is not None and end.exit_code == 0 and not outputs and not are_many_left(inbox):
            try:
                delivery = deliveries.collect_result(assignment, self._secrets.to_mask)
            except (BadInput, SecretUnreadable):  # whoever follows it will tell
                return
            for fact in left_by(assignment.key, assignment.gate.inbox, assignment.folder, utc_now()):
                self._emit(fact)
            reach(Failpoint.END_UNRECORDED)
            now = utc_now()
            self._emit(CommandSucceeded(key=assignment.key, finished_at=end.at, delivery=delivery, at=now))
