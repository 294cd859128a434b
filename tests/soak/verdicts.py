"""The promises, checked when all is quiet: none lost, none doubled, none left over, no invented outcome."""

from collections.abc import Iterator
from pathlib import Path

from air_executor import JobView, TaskStatus
from air_executor.format.attempts import Attempt, Cause
from air_executor.format.models import Task
from manager.model.values import SPARE
from tests.real_manager import RealManager
from tests.soak import ledger
from tests.soak.plans import LEDGER, JobPlan, TaskPlan

POSSIBLE = {Cause.EXIT, Cause.SIGNAL, Cause.LOST, Cause.ENGINE, Cause.CANCELLED}
"""What may be said of an attempt here: nobody asks for too much memory or a missing image."""


def of_job(plan: JobPlan, view: JobView, work: Path) -> Iterator[str]:
    """Every promise that was broken in this job."""
    lines = ledger.read(work / LEDGER)
    yield from ledger.doubled(lines)
    yield from ledger.overlapping(lines)
    if not view.state.ended:
        yield f"the job never ended: it is {view.state}, {view.progress}"
        return
    yield from _of_its_end(plan, view)
    for task in view.tasks:
        yield from _of_task(plan.task(task.id), task, lines)


def of_home(manager: RealManager) -> Iterator[str]:
    """What is left over of jobs that have all ended."""
    pool = manager.containers("--filter", "label=air-executor.role=warm")  # for the next job
    first = [name for name in pool if not name.endswith(SPARE)]
    if len(first) > 1:
        yield f"the warm containers {', '.join(first)} are too many"
    waiting = {name + part for name in first for part in ("", SPARE, "-network")}
    yield from (f"the container {name} is left over" for name in manager.containers() if name not in waiting)
    yield from (f"the journal {path.name} is left over" for path in live_journals(manager))


def live_journals(manager: RealManager) -> list[Path]:
    """Of jobs that have not ended, or whose end is not written."""
    return sorted((manager.home / "journal").glob("*.journal"))


def _of_its_end(plan: JobPlan, view: JobView) -> Iterator[str]:
    there = {task.id for task in view.tasks}
    statuses = {task.status for task in view.tasks}
    if view.state == "failed":
        if view.job.failure is None:
            yield "the job failed, and says no cause"
        if TaskStatus.FAILED not in statuses:
            yield "the job failed, and none of its tasks did"
        return
    if statuses != {TaskStatus.COMPLETED}:
        yield f"the job completed, and its tasks are {', '.join(sorted(statuses))}"
    for task in plan.tasks:
        if task.queues and task.queues.id not in there:
            yield f"task {task.queues.id}, which task {task.id} queued, is lost"


def _of_task(plan: TaskPlan, task: Task, lines: list[ledger.Line]) -> Iterator[str]:
    if not task.status.ended:
        yield f"the job ended, and task {task.id} is {task.status}"
    if not task.attempts and task.status is not TaskStatus.SKIPPED:
        yield f"task {task.id} is {task.status} without an attempt"
    well = [attempt.number for attempt in task.attempts if attempt.failure is None]
    if len(well) != (task.status is TaskStatus.COMPLETED):
        yield f"task {task.id} is {task.status} with {len(well)} successful attempts"
    ended = {line.attempt for line in lines if line.task == task.id and line.what == "end"}
    for number in set(well) - ended:
        yield f"attempt {number} of task {task.id} counts as a success, and never came to its end"
    for attempt in task.attempts:
        if task.status is TaskStatus.SKIPPED and attempt.timings.started_at is None:
            continue  # made ahead of time for a job that failed: it has the job's cause, and never began
        yield from _of_attempt(plan, attempt)


def _of_attempt(plan: TaskPlan, attempt: Attempt) -> Iterator[str]:
    what = f"attempt {attempt.number} of task {plan.id}"
    expected = plan.exit_code(attempt.number)
    if attempt.failure is None:
        if attempt.exit_code != 0 or expected != 0:
            yield f"{what} counts as a success with {attempt.exit_code}; its script ends with {expected}"
        return
    cause, code = attempt.failure.cause, attempt.exit_code
    if cause not in POSSIBLE:
        yield f"{what} failed with cause {cause}: {attempt.failure.message}"
    if cause is Cause.EXIT and (code != expected or code == 0):
        yield f"{what} failed with cause exit and code {code}; its script ends with {expected}"
