"""One line in the log for each event, with job, task and container."""

import logging

from air_executor.format.conditions import Outcome
from air_executor.format.models import Task
from manager.core.live_job import LiveJob
from manager.model.facts import (
    CancelRequested,
    ContainerCreated,
    ContainerDropped,
    ContainerExited,
    ContainerLost,
    ContainerRemoved,
    ContainerStarted,
    ContainerVoided,
    ContainerWaiting,
    DeadlinePassed,
    DiskExceeded,
    JobEnded,
    JobFact,
    JobTimedOut,
    JobVanished,
    LaunchFailed,
    NetworkLost,
    RequestRefused,
    TaskClaimed,
    TaskRequested,
)

log = logging.getLogger("manager.runtime.event_log")


def report(job: LiveJob, fact: JobFact) -> None:
    """Tell of a fact that has just been applied to `job`."""
    match fact:
        case (
            TaskClaimed() | ContainerCreated() | ContainerWaiting() | ContainerDropped() | ContainerRemoved()
        ):
            _task(logging.DEBUG, job, fact.key.task, _words(fact))
        case ContainerVoided():
            _voided(job, fact)
        case ContainerStarted():
            _task(logging.INFO, job, fact.key.task, _beginning(job.tasks[fact.key.task]))
        case ContainerExited() | LaunchFailed() | ContainerLost():
            task = job.tasks[fact.key.task]
            level = logging.INFO if task.failure is None else logging.WARNING
            _task(level, job, task.id, _ending(task))
        case DeadlinePassed():
            _task(logging.WARNING, job, fact.key.task, "runs longer than its timeout; stopping it")
        case NetworkLost():
            log.error("job=%s its network is gone; stopping the tasks that run in it", job.name)
        case DiskExceeded():
            log.error("job=%s is stopped: %s", job.name, fact.words)
        case CancelRequested() | JobVanished() | JobTimedOut():
            log.info("job=%s is to stop%s", job.name, _calling_off(job))
        case TaskRequested() | RequestRefused():
            decision = job.requests.get(fact.request)
            if decision is None or not decision.accepted:
                reason = decision.reason if decision else "too many refused requests"
                log.warning("job=%s request=%s rejected: %s", job.name, fact.request, reason)
            else:
                log.info("job=%s task=%s queued by request=%s", job.name, decision.task, fact.request)
        case JobEnded():
            log.info("job=%s %s (%s)", job.name, job.job.state, job.view().progress)
        case _:
            pass


def _calling_off(job: LiveJob) -> str:
    halt = job.job.halt
    if halt is None:
        return f": {job.failure.message}" if job.failure else ""
    cleanup = "" if halt.of == "work" else ", and its cleanup with it"
    return f"{cleanup}: {halt.failure.message}"


def _words(
    fact: TaskClaimed | ContainerCreated | ContainerWaiting | ContainerDropped | ContainerRemoved,
) -> str:
    match fact:
        case TaskClaimed():
            return "claimed"
        case ContainerCreated():
            return "created"
        case ContainerWaiting():
            return "waits at its gate"
        case ContainerDropped():
            return "never began"
        case ContainerRemoved():
            return "container removed"


def _voided(job: LiveJob, fact: ContainerVoided) -> None:
    task = job.tasks[fact.key.task]
    if task.attempts and task.attempts[-1].failure is not None:
        _task(logging.WARNING, job, task.id, _ending(task))
        return
    why = f": {fact.why}" if fact.why else ""
    _task(logging.INFO, job, task.id, f"takes the place of one that could not be used{why}")


def _beginning(task: Task) -> str:
    attempt = task.attempts[-1]
    waited = attempt.timings.ready_to_began_ms
    return "started" if waited is None else f"started {waited:.0f} ms after it was ready ({attempt.start})"


def _ending(task: Task) -> str:
    attempt = task.attempts[-1]
    failure = attempt.failure
    if failure is None:
        ran = attempt.timings.ran_ms
        return f"completed after {ran:.0f} ms" if ran is not None else "completed"
    if task.outcome is Outcome.SKIPPED_BY_EXIT_CODE:
        return f"skipped: {failure.message}"
    again = " (to be tried again)" if not task.status.ended else ""
    allowed = ", which is allowed" if task.outcome is Outcome.ALLOWED_FAILURE else ""
    return f"failed{allowed}, cause {failure.cause}: {failure.message}{again}"


def _task(level: int, job: LiveJob, task_id: str, words: str) -> None:
    attempt = job.tasks[task_id].attempt if task_id in job.tasks else None
    container = attempt.container.name if attempt else "-"
    log.log(level, "job=%s task=%s container=%s %s", job.name, task_id, container, words)
