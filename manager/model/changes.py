"""PURE. What is new in a job since the last time: one value for its journal and for its views."""

from dataclasses import dataclass, replace

from air_executor.format.models import Decision, Job, Task
from manager.model.values import Owner


@dataclass(frozen=True, slots=True)
class Changes:
    """The job's own record, and the tasks and decisions that have changed; the first time, all of them."""

    owner: Owner
    """Whose the job's folder is."""
    submitted: str | None
    """Which `state.json` it was taken from."""
    job: Job
    """Its `requests` do not count: those are told as `decisions`."""
    tasks: tuple[Task, ...] = ()
    """In the order of tasks.json, which is left alone as long as there are none."""
    decisions: tuple[Decision, ...] = ()

    @property
    def uid(self) -> str:
        """The manager's own name for the job."""
        return self.job.uid or ""

    @property
    def name(self) -> str:
        """What people call the job."""
        return self.job.name

    def followed_by(self, later: "Changes") -> "Changes":
        """Both in one: of each task and decision the later word counts."""
        tasks = {task.id: task for task in (*self.tasks, *later.tasks)}
        decisions = {decision.request: decision for decision in (*self.decisions, *later.decisions)}
        return replace(later, tasks=tuple(tasks.values()), decisions=tuple(decisions.values()))
