"""PURE. How many containers wait for tasks that nobody knows yet, for whom, and who gets one.

A slot is a container of the default kind (runner image, usual limits, the network that a job's tasks share)
that waits at its gate, with fresh folders mounted that become the job's own. It serves the first task of one
job, once.
"""

import secrets
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from air_executor.models import Task
from manager import container_spec
from manager.live_job import LiveJob
from manager.settings import Settings
from manager.values import Owner, Slot, SlotOrder

WINDOW = timedelta(minutes=2)
"""What was used within it says how many slots are kept."""
LIFETIME = timedelta(seconds=0.8 * container_spec.GATE_PATIENCE)
"""After this a slot is replaced: its gate does not wait for ever."""
REST = timedelta(minutes=1)
"""For which no further slot is made after one could not be made."""


@dataclass
class SlotPool:
    """The slots that are there or being made. Told of everything, decides; asks nobody."""

    settings: Settings
    user: Owner
    """Whom tasks run as, most likely, before the first has run."""
    ready: dict[str, Slot] = field(default_factory=dict)
    making: dict[str, SlotOrder] = field(default_factory=dict)
    open: bool = False
    """Whether slots work here."""
    _uses: deque[tuple[datetime, Owner]] = field(default_factory=lambda: deque(maxlen=1000))
    _rests_until: datetime | None = None

    def fits(self, job: LiveJob, task: Task) -> bool:
        """Whether the task could use one: its job has begun nothing, and it asks for nothing of its own."""
        usual = task.image in (None, self.settings.runner_image) and task.network in (None, "job")
        plain = task.workdir is None and not any(value for _, value in task.resources)
        return self.open and job.bare and usual and plain

    def take(self, job: LiveJob, task: Task, at: datetime) -> Slot | None:
        """The slot that the task gets, if there is one for its user."""
        user = container_spec.task_user(task, job.owner, self.settings)
        self._uses.append((at, user))
        slot = next((slot for slot in self.ready.values() if slot.user == user), None)
        return None if slot is None else self.ready.pop(slot.id)

    def add(self, slot: Slot) -> bool:
        """It waits at its gate. False where nobody waits for it any more: it is to be thrown away."""
        if self.making.pop(slot.id, None) is None:
            return False
        self.ready[slot.id] = slot
        return True

    def fail(self, slot_id: str, at: datetime) -> None:
        """It could not be made."""
        self.making.pop(slot_id, None)
        self._rests_until = at + REST

    def clear(self) -> list[str]:
        """The engine went away, and with it, maybe, what it ran: the slots to throw away."""
        gone = list(self.ready)
        self.ready.clear()
        self.making.clear()
        return gone

    @property
    def ids(self) -> set[str]:
        """Slots that are this manager's."""
        return self.ready.keys() | self.making.keys()

    def orders(self, at: datetime) -> Iterator[SlotOrder]:
        """The slots to make now. They count as being made from here on."""
        if not self.open or (self._rests_until is not None and at < self._rests_until):
            return
        for user, number in self._wanted(at).items():
            there = [slot.user for slot in self.ready.values()]
            there += [order.user for order in self.making.values()]
            for _ in range(number - there.count(user)):
                order = SlotOrder(secrets.token_hex(5), user)
                self.making[order.id] = order
                yield order

    def surplus(self, at: datetime) -> Iterator[Slot]:
        """The slots to throw away now; they are forgotten."""
        wanted = self._wanted(at)
        for slot in sorted(self.ready.values(), key=lambda slot: slot.created_at, reverse=True):
            wanted[slot.user] = wanted.get(slot.user, 0) - 1
            if wanted[slot.user] < 0 or at - slot.created_at > LIFETIME:
                yield self.ready.pop(slot.id)

    def _wanted(self, at: datetime) -> dict[Owner, int]:
        """How many slots for each user: one for the last, as many as were used of late, `warm` all in all."""
        while self._uses and self._uses[0][0] < at - WINDOW:
            _, self.user = self._uses.popleft()
        wanted: dict[Owner, int] = {}
        for user in [user for _, user in reversed(self._uses)] or [self.user]:
            if sum(wanted.values()) < self.settings.warm:
                wanted[user] = wanted.get(user, 0) + 1
        return wanted
