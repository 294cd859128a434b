"""PURE. Which state of a task follows which: `(task, fact) -> task`.

The attempt's phases are claimed -> created -> running -> recorded -> removed; with a gate, `waiting` takes
the place of `created`, or follows it after a restart. A fact that does not fit the phase changes nothing, so
facts may come twice or late.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from air_executor.clock import Instant
from air_executor.format import layout
from air_executor.format.attempts import Attempt, Cause, Container, Failure, Phase, Timings
from air_executor.format.conditions import Outcome
from air_executor.format.models import Task, TaskStatus
from manager.core import failures
from manager.model import containers
from manager.model.delivery import NOTHING, Delivery
from manager.model.facts import (
    AttemptNeeded,
    CommandSucceeded,
    ContainerCreated,
    ContainerDropped,
    ContainerExited,
    ContainerLost,
    ContainerRemoved,
    ContainerStarted,
    ContainerVoided,
    ContainerWaiting,
    DeadlinePassed,
    LaunchFailed,
    OfAttempt,
    TaskClaimed,
)
from manager.model.image_facts import ImageFacts
from manager.model.stop_signals import USUAL

INCARNATIONS = 5
"""Containers that one attempt may get, where those before the last never began."""


def step(
    task: Task, fact: OfAttempt, ready_at: datetime | None = None, not_run: Failure | None = None
) -> Task:
    """The task after `fact`. `ready_at` is when it could first have run, if it could; `not_run` is why
    nothing of its job begins any more, where that is so."""
    if isinstance(fact, TaskClaimed):
        return _claim(task, fact, ready_at)
    attempt = task.attempt
    if attempt is None or (attempt.number, attempt.incarnation) != (fact.key.number, fact.key.incarnation):
        return task
    match fact, attempt.phase:
        case AttemptNeeded(), _ if attempt.undecided and not attempt.needed:
            return _needed(task, attempt, fact, ready_at)
        case ContainerCreated(), Phase.CLAIMED:
            return _created(task, attempt, fact)
        case ContainerWaiting(), Phase.CLAIMED | Phase.CREATED if attempt.gated:
            return _waiting(task, attempt, fact)
        case LaunchFailed() | ContainerExited() | ContainerLost(), _ if attempt.unwanted:
            return _drop(task, attempt, not_run or _unwanted(attempt), fact.at)
        case LaunchFailed(), Phase.CLAIMED | Phase.CREATED | Phase.WAITING:
            return _record(task, attempt, fact.failure, fact.at)
        case ContainerStarted(), Phase.CREATED | Phase.WAITING:
            return _started(task, attempt, fact)
        case CommandSucceeded(), Phase.RUNNING if attempt.stopping is None and not attempt.ended_well:
            return task if fact.delivery.problem else _ended_well(task, attempt, fact)
        case ContainerExited(), Phase.CREATED | Phase.WAITING | Phase.RUNNING:
            return _exited(task, attempt, fact)
        case ContainerLost(), Phase.RUNNING if attempt.ended_well:
            return _record(task, attempt, None, fact.at)
        case ContainerLost(), Phase.CREATED | Phase.WAITING | Phase.RUNNING:
            cause = Cause.LOST if attempt.stopping is None else attempt.stopping
            return _record(task, attempt, Failure(cause=cause, message=fact.message), fact.at)
        case ContainerDropped(), Phase.CLAIMED | Phase.CREATED | Phase.WAITING:
            return _drop(task, attempt, not_run or _unwanted(attempt), fact.at)
        case ContainerVoided(), Phase.CLAIMED | Phase.CREATED | Phase.WAITING:
            return _reincarnate(task, attempt, fact)
        case ContainerRemoved(), Phase.RECORDED if attempt.dropped:
            return _without_last(task)
        case ContainerRemoved(), Phase.RECORDED:
            return _with(task, attempt, phase=Phase.REMOVED)
        case DeadlinePassed(), Phase.RUNNING:
            return stop(task, Cause.TIMEOUT)
    return task


def stop(task: Task, cause: Cause, exceeded: str | None = None) -> Task:
    """The task whose attempt has been told to stop; the first cause given stays.

    `exceeded` is the setting whose limit its job has passed, where that is why.
    """
    attempt = task.attempt
    if attempt is None or not attempt.undecided or attempt.ended_well or attempt.stopping is not None:
        return task
    return _with(task, attempt, stopping=cause, exceeded=exceeded)


def drop(task: Task, not_run: Failure, at: datetime) -> Task:
    """The task that was told to stop, where its command provably never began and can't begin any more."""
    attempt = task.attempt
    if attempt is None or attempt.stopping is None or attempt.phase is not Phase.CLAIMED:
        return task
    return _drop(task, attempt, not_run, at)


def ended_late(task: Task, seconds: float) -> Task:
    """The task that has failed in a job which had so many seconds, and was stopped after them."""
    attempt, failure = task.attempt, task.failure
    if attempt is None or failure is None:
        return task
    why = failures.in_a_late_job(task, failure, seconds)
    said = _with(task, attempt, failure=why)
    return said.model_copy(update={"failure": why, "error": why.message})


def lose_network(task: Task) -> Task:
    """The task whose container has no network any more: stopped, or replaced where it waits at its gate."""
    attempt = task.attempt
    if attempt is None or attempt.phase is not Phase.WAITING:
        return stop(task, Cause.ENGINE)
    return task if attempt.stale else _with(task, attempt, stale=True)


def skip(task: Task, failure: Failure, at: datetime) -> Task:
    """A task that will never run, and why."""
    return task.model_copy(
        update={
            "status": TaskStatus.SKIPPED,
            "completed_at": at,
            "failure": failure,
            "error": failure.message,
        }
    )


def pass_over(task: Task, why: str, at: datetime) -> Task:
    """A task that nothing calls for: it will never run, and no failure is the reason."""
    return task.model_copy(
        update={
            "status": TaskStatus.SKIPPED,
            "started_at": None,
            "completed_at": at,
            "failure": None,
            "error": why,
            "outcome": Outcome.NOT_CALLED_FOR,
        }
    )


def give_up(task: Task, failure: Failure, at: datetime) -> Task:
    """A task that will not run any more: skipped, or failed as its last attempt did, where there was one.

    One whose container is thrown away before its command began, was none.
    """
    last = next((attempt for attempt in reversed(task.attempts) if not attempt.dropped), None)
    if last is None or last.failure is None:
        return skip(task, failure, at)
    outcome = failures.outcome_of(task, last.failure)
    return task.model_copy(
        update={
            "status": _status(last.failure, outcome),
            "outcome": outcome,
            "started_at": last.timings.started_at,
            "completed_at": last.timings.finished_at or at,
            "failure": last.failure,
            "error": last.failure.message,
        }
    )


def ran(attempt: Attempt, now: Instant, clock: datetime) -> float:
    """Seconds that the attempt's command has run, so that no clock that is set ends it early.

    By the clock that nobody can set, where its start was seen. Else from the engine's time of its start by
    the wall `clock`, but no longer than ago it was claimed.
    """
    if attempt.began is not None and attempt.began.boot == now.boot:
        return now.seconds - attempt.began.seconds
    began = attempt.timings.started_at
    elapsed = max(0.0, (clock - began).total_seconds()) if began else 0.0
    if attempt.claimed is not None and attempt.claimed.boot == now.boot:
        elapsed = min(elapsed, now.seconds - attempt.claimed.seconds)
    return elapsed


def start_over(task: Task) -> Task:
    """The task of a job that is tried again, in which it runs again."""
    return again(task).model_copy(update={"earlier": len(task.attempts)})


def again(task: Task) -> Task:
    """The failed task, waiting for its next attempt; the record of the last one stays."""
    return task.model_copy(
        update={
            "status": TaskStatus.PENDING,
            "started_at": None,
            "completed_at": None,
            "failure": None,
            "error": None,
            "outcome": None,
            "result": None,
            "produced": (),
        }
    )


def _claim(task: Task, fact: TaskClaimed, ready_at: datetime | None) -> Task:
    if task.status is not TaskStatus.PENDING or (task.attempt is not None and task.attempt.undecided):
        return task
    earlier = tuple(_log_moved(task, one) for one in task.attempts)
    attempt = _attempt(task, fact, None if fact.start == "ahead" else ready_at)
    return task.model_copy(update={"attempts": (*earlier, attempt)})


def _attempt(task: Task, fact: TaskClaimed, ready_at: datetime | None) -> Attempt:
    container = Container(name=fact.container, image=fact.grant.image)
    timings, warm = Timings(ready_at=ready_at), fact.warm
    if warm is not None:
        container = container.model_copy(update={"id": warm.container_id, "image_id": warm.image_id})
        container = _learned(container, task, warm.of_image)
        since = {"created_at": warm.created_at, "container_started_at": warm.container_started_at}
        timings = timings.model_copy(update=since)
    return Attempt(
        number=fact.key.number,
        incarnation=fact.key.incarnation,
        phase=Phase.CLAIMED if warm is None else Phase.WAITING,
        grant=fact.grant,
        start=fact.start,
        gate=fact.gated,
        warm=warm and warm.name,
        claimed=fact.instant,
        container=container,
        timings=timings,
    )


def _log_moved(task: Task, attempt: Attempt) -> Attempt:
    """The log of an earlier attempt lies beside the latest one."""
    return attempt.model_copy(
        update={"log": attempt.log and layout.earlier_log_path(task.id, attempt.number)}
    )


def _needed(task: Task, attempt: Attempt, fact: AttemptNeeded, ready_at: datetime | None) -> Task:
    """From here on it is as if it had been claimed just now, but that it has a container, or soon will."""
    timings = attempt.timings.model_copy(update={"ready_at": ready_at or fact.at})
    return _with(task, attempt, timings=timings, claimed=fact.instant)


def _reincarnate(task: Task, attempt: Attempt, fact: ContainerVoided) -> Task:
    """The same attempt, in another container: it provably never began in the one before.

    That one is made when it is needed. After so many there is no further one.
    """
    if attempt.incarnation >= INCARNATIONS:
        message = f"task {task.id!r} could not be started: {INCARNATIONS} containers could not be used"
        message += f": {fact.why}" if fact.why else ""
        return _record(task, attempt, Failure(cause=Cause.ENGINE, message=message), fact.at)
    return _with(
        task,
        attempt,
        phase=Phase.CLAIMED,
        incarnation=attempt.incarnation + 1,
        start="cold",
        gate=attempt.gated,
        warm=None,
        stale=False,
        container=Container(name=containers.successor(attempt.container.name), image=attempt.container.image),
        timings=attempt.timings.model_copy(update={"created_at": None, "container_started_at": None}),
    )


def _created(task: Task, attempt: Attempt, fact: ContainerCreated) -> Task:
    container = attempt.container.model_copy(update={"id": fact.container_id, "image_id": fact.image_id})
    return _with(
        task,
        attempt,
        phase=Phase.CREATED,
        container=_learned(container, task, fact.of_image),
        timings=attempt.timings.model_copy(update={"created_at": fact.created_at}),
    )


def _waiting(task: Task, attempt: Attempt, fact: ContainerWaiting) -> Task:
    container = attempt.container.model_copy(update={"id": fact.container_id, "image_id": fact.image_id})
    since = {"created_at": fact.created_at, "container_started_at": fact.container_started_at}
    timings = attempt.timings.model_copy(update=since)
    container = _learned(container, task, fact.of_image)
    return _with(task, attempt, phase=Phase.WAITING, container=container, timings=timings)


def _started(task: Task, attempt: Attempt, fact: ContainerStarted) -> Task:
    container_started_at = attempt.timings.container_started_at or fact.started_at
    timings = attempt.timings.model_copy(
        update={
            "created_at": fact.created_at or attempt.timings.created_at,
            "container_started_at": container_started_at,
            "started_at": fact.started_at,
        }
    )
    container = attempt.container
    if fact.image_id is not None:
        container = container.model_copy(update={"image_id": fact.image_id})
    container = _learned(container, task, fact.of_image)
    running = _with(
        task,
        attempt,
        phase=Phase.RUNNING,
        container=container,
        timings=timings,
        log=layout.log_path(task.id),
        began=fact.instant,
    )
    return running.model_copy(update={"status": TaskStatus.RUNNING, "started_at": fact.started_at})


def _learned(container: Container, task: Task, image: ImageFacts | None) -> Container:
    """With what has to be known of its image later; of its words, where these are what is executed."""
    if image is None:
        return container
    update: dict[str, Any] = {
        "digest": image.digest_of(container.image),
        "stop_signal": None if image.stop_signal == USUAL else image.stop_signal,
    }
    if task.runs_the_images:
        update |= {"entrypoint": image.entrypoint or None, "command": image.command or None}
    return container.model_copy(update=update)


def _ended_well(task: Task, attempt: Attempt, fact: CommandSucceeded) -> Task:
    """Its result is certain; it is recorded when its output is whole and its container has ended."""
    began = attempt.timings.started_at or fact.finished_at
    finished = max(began, min(fact.finished_at, fact.at))
    ended = _with(
        task, attempt, exit_code=0, timings=attempt.timings.model_copy(update={"finished_at": finished})
    )
    return _handed_over(ended, fact.delivery)


def _handed_over(task: Task, delivery: Delivery) -> Task:
    """The task that has succeeded, with what is to be had of it."""
    if delivery == NOTHING:
        return task
    return task.model_copy(update={"result": delivery.result, "produced": delivery.produced})


def _exited(task: Task, attempt: Attempt, fact: ContainerExited) -> Task:
    result = fact.result
    if result.unusable_command is not None and attempt.phase is Phase.WAITING:
        return _could_not_begin(task, attempt, fact)
    if attempt.ended_well:  # whatever has happened to the container since
        finished = attempt.timings.finished_at or result.finished_at
        result = replace(result, exit_code=0, finished_at=finished, delivery=NOTHING)
    began = attempt.timings.started_at or result.started_at
    timings = attempt.timings.model_copy(
        update={
            "container_started_at": attempt.timings.container_started_at or began,
            "started_at": began,
            "finished_at": max(result.finished_at, began),
        }
    )
    ended = _with(
        task,
        attempt,
        exit_code=result.exit_code,
        oom_killed=result.oom_killed,
        timings=timings,
        log=None if attempt.gated and attempt.phase is not Phase.RUNNING else layout.log_path(task.id),
    ).model_copy(update={"started_at": began})
    failure = failures.failure_of(task, failures.stopped_by(ended.attempts[-1]), result)
    if failure is None:
        ended = _handed_over(ended, result.delivery)
    return _record(ended, ended.attempts[-1], failure, fact.at)


def _could_not_begin(task: Task, attempt: Attempt, fact: ContainerExited) -> Task:
    """Its gate found that there was nothing to begin: so it has an exit code, and no time at which it ran."""
    ended = _with(task, attempt, exit_code=fact.result.exit_code, oom_killed=fact.result.oom_killed)
    failure = failures.failure_of(task, attempt.stopping, fact.result)
    return _record(ended, ended.attempts[-1], failure, fact.at)


def _record(task: Task, attempt: Attempt, failure: Failure | None, at: datetime) -> Task:
    """The attempt is over. `at` is when the manager decided so; the record is synced in the same batch."""
    finished = attempt.timings.finished_at or at
    timings = attempt.timings.model_copy(update={"recorded_at": max(at, finished)})
    recorded = _with(task, attempt, phase=Phase.RECORDED, failure=failure, timings=timings)
    outcome = failures.outcome_of(task, failure)
    return recorded.model_copy(
        update={
            "status": _status(failure, outcome),
            "outcome": outcome,
            "completed_at": finished,
            "failure": failure,
            "error": failure.message if failure else None,
        }
    )


def _status(failure: Failure | None, outcome: Outcome | None) -> TaskStatus:
    if failure is None:
        return TaskStatus.COMPLETED
    return TaskStatus.SKIPPED if outcome is Outcome.SKIPPED_BY_EXIT_CODE else TaskStatus.FAILED


def _drop(task: Task, attempt: Attempt, not_run: Failure, at: datetime) -> Task:
    """The same becomes of it as of a task that never had a container."""
    timings = attempt.timings.model_copy(update={"recorded_at": at})
    dropped = _with(task, attempt, phase=Phase.RECORDED, dropped=True, failure=not_run, timings=timings)
    return give_up(dropped, not_run, at)


def _unwanted(attempt: Attempt) -> Failure:
    return Failure(cause=attempt.stopping or Cause.CANCELLED, message="never ran: its job had ended")


def _without_last(task: Task) -> Task:
    """Its container is gone, and its command never began: it was no attempt. The log before is the last."""
    before = task.attempts[:-1]
    if before and before[-1].log:
        before = (*before[:-1], before[-1].model_copy(update={"log": layout.log_path(task.id)}))
    return task.model_copy(update={"attempts": before})


def _with(task: Task, attempt: Attempt, **update: Any) -> Task:
    return task.model_copy(update={"attempts": (*task.attempts[:-1], attempt.model_copy(update=update))})
