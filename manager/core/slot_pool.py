"""PURE. How many containers wait for tasks that nobody knows yet, for whom, and who gets one.

A slot is a container of the default kind (runner image, usual limits, the network that a job's tasks share)
that waits at its gate, with fresh folders mounted that become the job's own. It serves the first task of one
job, once. Its spare, a second container in the same folders and network, serves the task that comes next.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from air_executor.format.models import Task
from manager.core import policy
from manager.core.live_job import LiveJob
from manager.model import containers
from manager.model.values import Owner, Slot, SlotOrder, spare_of
from manager.settings import Settings

WINDOW = timedelta(minutes=2)
"""What was used within it says how many slots are kept."""
LIFETIME = timedelta(seconds=0.8 * containers.GATE_PATIENCE)
"""After this a slot is replaced: its gate does not wait for ever."""
REST = timedelta(minutes=1)
"""For which no further slot is made after one could not be made."""


@dataclass
class SlotPool:
    """The slots that are there or being made. Told of everything, decides; asks nobody."""

    settings: Settings
    fresh_id: Callable[[], str]
    """Gives an id that no slot has had."""
    user: Owner
    """Whom tasks run as, most likely, before the first has run."""
    ready: dict[str, Slot] = field(default_factory=dict)
    making: dict[str, SlotOrder] = field(default_factory=dict)
    spares: dict[str, Slot] = field(default_factory=dict)
    """By the uid of the job that has got the slot."""
    open: bool = False
    """Whether slots work here."""
    _unwanted: list[str] = field(default_factory=list)
    _uses: deque[tuple[datetime, Owner]] = field(default_factory=lambda: deque(maxlen=1000))
    _rests_until: datetime | None = None

    def fits(self, job: LiveJob, task: Task) -> bool:
        """Whether the task could use one: its job has begun nothing, and it asks for nothing of its own."""
        return self.open and job.bare and policy.is_usual(task, self.settings)

    def take(self, job: LiveJob, task: Task, at: datetime) -> Slot | None:
        """The slot that the task gets, if there is one for its user."""
        user = policy.user_of(task, job.owner, self.settings)
        self._uses.append((at, user))
        slot = next((slot for slot in self.ready.values() if slot.user == user), None)
        if slot is None:
            return None
        if slot.spare is not None:
            self.spares[job.uid] = slot.spare
        return self.ready.pop(slot.id)

    def take_spare(self, job: LiveJob, task: Task) -> Slot | None:
        """What the task gets that comes next in a job which got a slot, if it is of the same kind.

        A further attempt may need more memory, and the log of the one before put aside: not that.
        """
        spare = self.spares.get(job.uid)
        user = policy.user_of(task, job.owner, self.settings)
        if spare is None or task.attempts or spare.user != user or not policy.is_usual(task, self.settings):
            return None
        return self.spares.pop(job.uid)

    def forget(self, uid: str) -> None:
        """The job needs no spare any more."""
        spare = self.spares.pop(uid, None)
        if spare is not None:
            self._unwanted.append(spare.id)

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
        gone = [*self.ready, *(spare.id for spare in self.spares.values())]
        for slots in (self.ready, self.making, self.spares):
            slots.clear()
        return gone

    @property
    def ids(self) -> set[str]:
        """Slots that are this manager's."""
        whole = self.ready.keys() | self.making.keys()
        return whole | set(map(spare_of, whole)) | {spare.id for spare in self.spares.values()}

    def orders(self, at: datetime) -> Iterator[SlotOrder]:
        """The slots to make now. They count as being made from here on."""
        if not self.open or (self._rests_until is not None and at < self._rests_until):
            return
        for user, number in self._wanted(at).items():
            there = [slot.user for slot in self.ready.values()]
            there += [order.user for order in self.making.values()]
            for _ in range(number - there.count(user)):
                order = SlotOrder(self.fresh_id(), user)
                self.making[order.id] = order
                yield order

    def surplus(self, at: datetime) -> Iterator[str]:
        """The slots to throw away now; they are forgotten."""
        for uid in [uid for uid, spare in self.spares.items() if at - spare.created_at > LIFETIME]:
            self.forget(uid)
        yield from self._unwanted
        self._unwanted.clear()
        wanted = self._wanted(at)
        for slot in sorted(self.ready.values(), key=lambda slot: slot.created_at, reverse=True):
            wanted[slot.user] = wanted.get(slot.user, 0) - 1
            if wanted[slot.user] < 0 or at - slot.created_at > LIFETIME:
                yield self.ready.pop(slot.id).id

    def _wanted(self, at: datetime) -> dict[Owner, int]:
        """How many slots for each user: one for the last, as many as were used of late, `warm` all in all."""
        while self._uses and self._uses[0][0] < at - WINDOW:
            _, self.user = self._uses.popleft()
        wanted: dict[Owner, int] = {}
        for user in [user for _, user in reversed(self._uses)] or [self.user]:
            if sum(wanted.values()) < self.settings.warm:
                wanted[user] = wanted.get(user, 0) + 1
        return wanted
