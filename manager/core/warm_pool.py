"""PURE. How many containers wait for tasks that nobody knows yet, for whom, and who gets one.

A warm container is one of the default kind (runner image, usual limits, the network that a job's tasks share)
that waits at its gate, with fresh folders mounted that become the job's own. It serves the first task of one
job, once. Its spare, a second container in the same folders and network, serves the task that comes next.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from air_executor.format.models import Task
from manager.core import policy
from manager.core.live_job import LiveJob
from manager.model import containers
from manager.model.values import NOT_TRIED, Capabilities, Owner, WarmContainer, WarmOrder, spare_of
from manager.settings import Settings

WINDOW = timedelta(minutes=2)
"""What was used within it says how many warm containers are kept."""
LIFETIME = timedelta(seconds=0.8 * containers.GATE_PATIENCE)
"""After this a warm container is replaced: its gate does not wait for ever."""
AT_LEAST = 2
"""Those that wait for the user whose job came last, where `warm` allows it: jobs often come in pairs."""
AT_ONCE = 2
"""Those that are made at the same time: more would only be there later, all of them."""
MOST_REGULARS = 16
"""Users that are remembered."""
REST = timedelta(minutes=1)
"""For which no further warm container is made for a user after one could not be made."""


@dataclass
class WarmPool:
    """The warm containers that are there or being made. Told of everything, decides; asks nobody."""

    settings: Settings
    fresh_name: Callable[[], str]
    """Gives a name that no warm container has had."""
    regulars: tuple[Owner, ...]
    """Whom first tasks have run as, whoever was so last first; before any has, whom they are likely to."""
    ready: dict[str, WarmContainer] = field(default_factory=dict)
    making: dict[str, WarmOrder] = field(default_factory=dict)
    spares: dict[str, WarmContainer] = field(default_factory=dict)
    """By the uid of the job that has got the warm container."""
    capabilities: Capabilities = NOT_TRIED
    """What can be done with the engine on this host."""
    _unwanted: list[str] = field(default_factory=list)
    _uses: deque[tuple[datetime, Owner]] = field(default_factory=lambda: deque(maxlen=1000))
    _rests_until: dict[Owner, datetime] = field(default_factory=dict)
    """Users for whom none could be made of late."""

    def fits(self, job: LiveJob, task: Task) -> bool:
        """Whether the task could use one: its job has begun nothing, and it asks for nothing of its own."""
        return self._may_be_any and job.bare and policy.is_usual(task, self.settings)

    @property
    def _may_be_any(self) -> bool:
        """Whether one can be made before its job is known: not where each job has a user of its own."""
        return self.capabilities.warm is None and not self.settings.job_uids

    def take(self, job: LiveJob, task: Task, at: datetime) -> WarmContainer | None:
        """The warm container that the task gets, if there is one for its user."""
        user = policy.user_of(task, job.runs_for, self.settings)
        self._uses.append((at, user))
        self._meet(user)
        warm = next((warm for warm in self.ready.values() if warm.user == user), None)
        if warm is None:
            return None
        if warm.spare is not None:
            self.spares[job.uid] = warm.spare
        return self.ready.pop(warm.name)

    def _meet(self, user: Owner) -> None:
        others = (each for each in self.regulars if each != user)
        self.regulars = (user, *islice(others, MOST_REGULARS - 1))

    def take_spare(self, job: LiveJob, task: Task) -> WarmContainer | None:
        """What the task gets that comes next in a job which got a warm container, if it is of the same kind.

        A further attempt may need more memory, and the log of the one before put aside: not that.
        """
        spare = self.spares.get(job.uid)
        user = policy.user_of(task, job.runs_for, self.settings)
        if spare is None or task.attempts or spare.user != user or not policy.is_usual(task, self.settings):
            return None
        return self.spares.pop(job.uid)

    def forget(self, uid: str) -> None:
        """The job needs no spare any more."""
        spare = self.spares.pop(uid, None)
        if spare is not None:
            self._unwanted.append(spare.name)

    def add(self, warm: WarmContainer) -> bool:
        """It waits at its gate. False where nobody waits for it any more: it is to be thrown away."""
        if self.making.pop(warm.name, None) is None:
            return False
        self.ready[warm.name] = warm
        return True

    def fail(self, name: str, at: datetime) -> None:
        """It could not be made."""
        order = self.making.pop(name, None)
        if order is not None:
            self._rests_until[order.user] = at + REST

    def clear(self) -> list[str]:
        """The engine went away, and with it, maybe, what it ran: the warm containers to throw away."""
        gone = [*self.ready, *(spare.name for spare in self.spares.values())]
        for each in (self.ready, self.making, self.spares):
            each.clear()
        return gone

    @property
    def names(self) -> set[str]:
        """The names of those that are this manager's."""
        whole = self.ready.keys() | self.making.keys()
        return whole | set(map(spare_of, whole)) | {spare.name for spare in self.spares.values()}

    def orders(self, at: datetime) -> Iterator[WarmOrder]:
        """The warm containers to make now. They count as being made from here on."""
        if not self._may_be_any:
            return
        there = Counter([warm.user for warm in self.ready.values()])
        there.update(order.user for order in self.making.values())
        lacking = self._wanted(at) - there
        self._rests_until = {user: until for user, until in self._rests_until.items() if at < until}
        tried = (user for user in lacking.elements() if user not in self._rests_until)
        for user in islice(tried, max(0, AT_ONCE - len(self.making))):
            order = WarmOrder(self.fresh_name(), user)
            self.making[order.name] = order
            yield order

    def surplus(self, at: datetime) -> Iterator[str]:
        """The warm containers to throw away now; they are forgotten."""
        for uid in [uid for uid, spare in self.spares.items() if at - spare.created_at > LIFETIME]:
            self.forget(uid)
        yield from self._unwanted
        self._unwanted.clear()
        wanted = self._wanted(at)
        for warm in sorted(self.ready.values(), key=lambda each: each.created_at, reverse=True):
            wanted[warm.user] -= 1
            if wanted[warm.user] < 0 or at - warm.created_at > LIFETIME:
                yield self.ready.pop(warm.name).name

    def _wanted(self, at: datetime) -> Counter[Owner]:
        """How many for each user, in the order in which they are made.

        As many as were used of late, and AT_LEAST so many, `warm` all in all: who was last comes first. And
        one for each of the first `warm_users` regulars who has none of these.
        """
        while self._uses and self._uses[0][0] < at - WINDOW:
            self._uses.popleft()
        for_whom = [user for _, user in reversed(self._uses)]
        for_whom += list(self.regulars[:1]) * (AT_LEAST - len(for_whom))
        wanted = Counter(for_whom[: self.settings.warm])
        if wanted:
            wanted |= Counter(self.regulars[: self.settings.warm_users])
        return wanted
