"""PURE. What the tasks of one job wait for, and which of them could run now."""

from collections.abc import Callable, Sequence
from datetime import datetime

from air_executor.format.models import Task
from manager.core import retries
from manager.core.conditions import Standing, Tally, Verdict


class ReadyQueue:
    """Tasks are entered once, with what they depend on, and offered when nothing else is in their way."""

    def __init__(self) -> None:
        self.ready: dict[str, datetime] = {}
        """Those that could run now, in the order in which they became so, and since when."""
        self.resting: dict[str, float] = {}
        """Those that could run but for the pause after their last attempt, and its length in seconds."""
        self.lacking: dict[str, dict[str, datetime]] = {}
        """Those that could run but for their image, by that, and since when."""
        self.short: dict[str, datetime] = {}
        """Those that could run but for the GPUs that they ask for, and since when."""
        self._image: dict[str, str] = {}
        """What each of these waits for."""
        self._tallies: dict[str, Tally] = {}
        self._dependants: dict[str, list[str]] = {}

    def enter(self, task: Task, standing: Callable[[str], Standing | None]) -> None:
        """From here on it is known what the task waits for. `standing` is None of what is not over."""
        tally = self._tallies[task.id] = Tally()
        for dependency in dict.fromkeys(task.dependencies):
            self._dependants.setdefault(dependency, []).append(task.id)
            already = standing(dependency)
            if already is None:
                tally.missing += 1
            else:
                tally.count(already)

    def missing(self, task_id: str) -> int:
        """How many of those that the task depends on are not over."""
        return self._tallies[task_id].missing

    def verdict(self, task: Task) -> Verdict:
        """What becomes of the task, as far as its dependencies tell."""
        return self._tallies[task.id].verdict(task.run_if)

    def dependants(self, task_id: str) -> Sequence[str]:
        """The tasks that depend on this one."""
        return self._dependants.get(task_id, ())

    def release(self, task_id: str, standing: Standing) -> Sequence[str]:
        """The task is over: its dependants, which wait for one less."""
        dependants = self.dependants(task_id)
        for dependant in dependants:
            self._tallies[dependant].missing -= 1
            self._tallies[dependant].count(standing)
        return dependants

    def offer(self, task: Task, at: datetime) -> None:
        """The task could run since `at`, but for a pause after its last attempt, maybe."""
        if task.id in self.ready or task.id in self.resting or task.id in self._image:
            return
        if task.id in self.short:
            return
        seconds = retries.rest(task)
        if seconds:
            self.resting[task.id] = seconds
        else:
            self.ready[task.id] = at

    def end_rest(self, task_id: str, at: datetime) -> None:
        """The pause after the task's last attempt is over."""
        if self.resting.pop(task_id, None) is not None:
            self.ready[task_id] = at

    def put_off(self, task_id: str, image: str) -> None:
        """The task waits for its image."""
        since = self.ready.pop(task_id, None)
        if since is not None:
            self.lacking.setdefault(image, {})[task_id] = since
            self._image[task_id] = image

    def supply(self, image: str) -> None:
        """Nobody waits for the image any longer."""
        for task_id, since in self.lacking.pop(image, {}).items():
            del self._image[task_id]
            self.ready[task_id] = since

    def fall_short(self, task_id: str) -> None:
        """The task waits for GPUs."""
        since = self.ready.pop(task_id, None)
        if since is not None:
            self.short[task_id] = since

    def make_up(self, task_id: str) -> None:
        """There are GPUs for the task."""
        since = self.short.pop(task_id, None)
        if since is not None:
            self.ready[task_id] = since

    def withdraw(self, task_id: str) -> None:
        """The task can't run now: it has begun, or is over."""
        self.short.pop(task_id, None)
        self.ready.pop(task_id, None)
        self.resting.pop(task_id, None)
        image = self._image.pop(task_id, None)
        if image is not None:
            del self.lacking[image][task_id]
