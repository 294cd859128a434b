"""PURE. Why an attempt failed: facts decide, never text."""

import signal

from air_executor.format.attempts import Attempt, Cause, Failure
from air_executor.format.conditions import Outcome
from air_executor.format.models import Task
from manager.model.delivery import Delivery
from manager.model.stop_signals import USUAL, number_of
from manager.model.values import ExitResult

OUR_SIGNALS = (128 + signal.SIGTERM, 128 + signal.SIGKILL)
UNKNOWN_END = 255
"""The exit code by which the engine says that it does not know how a container ended. Source: Moby,
`daemon/monitor.go`; seen in tests/faults/test_10_11_13_engine_restarted.py."""


def stopped_by(attempt: Attempt) -> Cause | None:
    """Why it was stopped; not by its timeout where it had ended in time by itself, and that was seen late."""
    began, ended = attempt.timings.started_at, attempt.timings.finished_at
    if attempt.stopping is not Cause.TIMEOUT or began is None or ended is None or attempt.grant is None:
        return attempt.stopping
    in_time = (ended - began).total_seconds() < attempt.grant.timeout
    ours = (*OUR_SIGNALS, 128 + (number_of(attempt.container.stop_signal or USUAL) or 0))
    return None if in_time and attempt.exit_code not in ours else attempt.stopping


def failure_of(task: Task, stopping: Cause | None, result: ExitResult) -> Failure | None:
    """Why an attempt failed, or None when it did not."""
    code = result.exit_code
    if stopping is Cause.TIMEOUT:
        grant = None if task.attempt is None else task.attempt.grant
        limit = task.timeout if grant is None else grant.timeout
        message = f"task {task.id!r} was stopped: it ran longer than its timeout of {limit or 0:g} s"
        return Failure(cause=stopping, message=message, exit_code=code)
    if stopping is Cause.ENGINE:
        message = f"task {task.id!r} was stopped: the container that held its job's network had ended"
        return Failure(cause=stopping, message=message, exit_code=code)
    exceeded = None if task.attempt is None else task.attempt.exceeded
    if exceeded is not None and stopping is not None:
        message = f"task {task.id!r} was stopped: its job has more on the disk than {exceeded} allows"
        return Failure(cause=stopping, message=message, exit_code=code, setting=exceeded)
    if stopping is not None:
        why = "was cancelled" if stopping is Cause.CANCELLED else "had failed"
        message = f"task {task.id!r} was stopped: its job {why}"
        return Failure(cause=stopping, message=message, exit_code=code)
    if code == 0:
        return _undelivered(task, result.delivery)
    if result.unusable_command is not None:
        message = f"task {task.id!r} could not be started: {result.unusable_command}"
        return Failure(cause=Cause.COMMAND, message=message, exit_code=code)
    if result.oom_killed:
        message = (
            f"task {task.id!r} was killed: it used more memory than its limit; raise resources.memory_mb"
        )
        return Failure(cause=Cause.OOM, message=message, exit_code=code)
    name = _signal_name(code)
    if result.interrupted and (name or code == UNKNOWN_END):
        message = f"task {task.id!r} was ended because the container engine, or its machine, went down"
        return Failure(cause=Cause.ENGINE, message=message, exit_code=code)
    by_signal = name is not None if result.signalled is None else result.signalled
    if by_signal:
        message = f"task {task.id!r} was ended by {name or f'signal {code - 128}'} (exit code {code})"
    else:
        message = f"task {task.id!r} ended with exit code {code}"
        if name:
            message += f", as a shell reports a process that was killed by {name}"
    if name == signal.SIGXFSZ.name:
        what = "it wrote a file" if by_signal else "the kernel does so where it writes a file"
        message += f": {what} larger than {_limit_of_files(task)} allows"
    return Failure(cause=Cause.SIGNAL if by_signal else Cause.EXIT, message=message, exit_code=code)


def in_a_late_job(task: Task, failure: Failure, seconds: float) -> Failure:
    """Why it failed, where its job had this long, and was stopped for that. The cause is that of a cancel:
    the task's own timeout has nothing to do with it, nor has its policy for retries."""
    if failure.cause is not Cause.CANCELLED or failure.setting is not None:
        return failure
    message = f"task {task.id!r} was stopped: its job took longer than its timeout of {seconds:g} s"
    return failure.model_copy(update={"message": message})


def outcome_of(task: Task, failure: Failure | None) -> Outcome | None:
    """What the attempt's failure comes to, where that is not the task's, or not its job's."""
    if failure is None:
        return None
    if failure.cause is Cause.EXIT and failure.exit_code in task.skip_exit_codes:
        return Outcome.SKIPPED_BY_EXIT_CODE
    return Outcome.ALLOWED_FAILURE if task.allow_failure else None


def _undelivered(task: Task, delivery: Delivery) -> Failure | None:
    """Its command has succeeded; but not what is to be had of it."""
    if delivery.problem is None:
        return None
    message = f"task {task.id!r} ended well, but what it leaves can't be taken: {delivery.problem}"
    return Failure(cause=Cause.BAD_INPUT, message=message, exit_code=0)


def _limit_of_files(task: Task) -> str:
    grant = None if task.attempt is None else task.attempt.grant
    return "ulimits.fsize" if grant is not None and "fsize" in grant.ulimits else "job_disk_mb"


def _signal_name(code: int) -> str | None:
    """Of a death by signal N, shells and the engine make the exit code 128 + N; so may any command."""
    try:
        return signal.Signals(code - 128).name if code > 128 else None
    except ValueError:
        return None
