"""What became of a job, in plain text for logs: the results block, and why it failed.

Commands, messages and logs were written by strangers: nothing here lets them steer a terminal or forge a
line of the report.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from air_executor.errors import cut
from air_executor.format.attempts import Attempt, Failure, Phase
from air_executor.format.conditions import JobOutcome, Outcome, RunIf
from air_executor.format.fields import format_time
from air_executor.format.models import JobView, Task, TaskStatus
from air_executor.format.results import OutputFile
from air_executor.logs import harmless, readable

WIDTH = 62
LONGEST = 1000
"""Characters of a command or message that are shown; the files have the rest."""

LONGEST_RESULT = 200
"""Characters of a result, and of the path of an output."""
NAMED = 5
"""Outputs of a task that are named."""

ICONS = {
    TaskStatus.PENDING: "⏳",
    TaskStatus.RUNNING: "🔄",
    TaskStatus.COMPLETED: "✅",
    TaskStatus.FAILED: "❌",
    TaskStatus.SKIPPED: "⏭",
}


WORDS = {
    Outcome.ALLOWED_FAILURE: ", allowed",
    Outcome.SKIPPED_BY_EXIT_CODE: " by its exit code",
    Outcome.NOT_CALLED_FOR: ", not called for",
}
"""What is said of a task behind its status."""

NOT_TAKEN = "   never ran: its job was refused"
"""Of a task that is pending in a job that has failed: what was refused is left as it was written."""


def results_block(view: JobView) -> str:
    """The job and each of its tasks, as the last task of the DAG logs it; what is not known is left out."""
    return "\n".join(_block(view))


def job_lines(view: JobView) -> Iterator[str]:
    """The job and each of its tasks at any moment, line by line."""
    job = view.job
    yield f"{view.name}: {view.state.value}, {view.progress}"
    yield f"   Created: {format_time(job.created_at)}"
    yield f"   Updated: {format_time(job.updated_at)}"
    if job.labels:
        yield f"   Labels: {_labels(job.labels)}"
    if job.failure:
        yield f"   Cause: {_job_reason(view)}"
    if job.outcome:
        yield f"   Outcome: {_outcome(job.outcome)}"
    for decision in job.requests:
        if not decision.accepted:
            yield f"   Rejected request {one_line(decision.request)}: {one_line(decision.reason or '')}"
    for task in view.tasks:
        yield from _task_lines(task)
        if _was_refused(view, task):
            yield NOT_TAKEN
        elif task.dependencies and not task.status.ended:
            yield f"   After: {', '.join(task.dependencies)}{_condition(task)}"


def failure_summary(view: JobView, log_tail: str) -> str:
    """Why the job failed: the task, its cause, and the end of its log, which is `log_tail`."""
    task = view.failed_task
    reason = _job_reason(view) if task is None else f"task {task.id} failed: {reason_of(task)}"
    summary = f"Job {view.name} failed: {reason}"
    if task is None:
        return summary
    if task.attempt and task.attempt.never_began:
        return f"{summary}\nIt has no log: its command never began."
    if not log_tail.strip():
        return f"{summary}\nIts log is empty."
    return f"{summary}\nThe end of its log:\n{readable(log_tail).rstrip()}"


def one_line(text: str) -> str:
    """`text` on one line and of bounded length, without anything that could steer a terminal."""
    shown = harmless(text).replace("\n", "\\n").replace("\t", "\\t")
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def command_line(task: Task) -> str:
    """The command and its arguments on one line, for people to read; not for a shell to run."""
    own = ("(the image's)",) if task.runs_the_images else ()
    return one_line(" ".join((*own, *task.words)))


def reason_of(task: Task) -> str:
    """Cause and message of a task that failed or was skipped: `exit, exit code 3: …`."""
    return _reason(task.failure, task.error or "")


def container_line(attempt: Attempt) -> str:
    """`<name> (<short id>), image …, created → started 91 ms, ready → began 103 ms (cold), ran 3002 ms, exit
    code 0`: how long its container took, and how long its task waited for the command to begin."""
    container, timings = attempt.container, attempt.timings
    line = one_line(container.name)
    if container.id:
        line += f" ({one_line(container.id[:12])})"
    line += f", image {one_line(container.image)}"
    line += _making(attempt) + _beginning(attempt)
    if timings.ran_ms is not None:
        line += f", ran {timings.ran_ms:.0f} ms"
    if attempt.oom_killed:
        line += ", out of memory"
    if attempt.grant is not None and attempt.grant.gpus:
        line += f", GPU {one_line(', '.join(attempt.grant.gpus))}"
    return line + _exit_code(attempt.exit_code)


def _making(attempt: Attempt) -> str:
    """What it took to make the container; for one made ahead of time, nobody waited for that."""
    timings = attempt.timings
    if timings.create_to_start_ms is None:
        return ""
    when = " beforehand" if timings.made_beforehand else ""
    return f", created → started {timings.create_to_start_ms:.0f} ms{when}"


def _beginning(attempt: Attempt) -> str:
    """How the command began, or what it waits for."""
    timings = attempt.timings
    if timings.ready_to_began_ms is not None:
        return f", ready → began {timings.ready_to_began_ms:.0f} ms ({attempt.start})"
    if attempt.never_began:
        return ", its command never began"
    match attempt.phase:
        case Phase.CLAIMED | Phase.CREATED:
            return ", is being made" if attempt.needed else f", is being made ({attempt.start})"
        case Phase.WAITING:
            doing = "is about to begin" if attempt.needed else "waits for its task's turn"
            return f", {doing} ({attempt.start})"
        case _:  # an older record
            return "" if attempt.start == "cold" else f" ({attempt.start})"


def _block(view: JobView) -> Iterator[str]:
    yield "=" * WIDTH
    yield "🎉 Air-Executor Job Results"
    yield "=" * WIDTH
    yield f"Job Name: {view.name}"
    yield f"Final State: {view.state.value}"
    yield f"Created: {format_time(view.job.created_at)}"
    yield f"Updated: {format_time(view.job.updated_at)}"
    if view.job.failure:
        yield f"Cause: {_job_reason(view)}"
    if view.job.outcome:
        yield f"Outcome: {_outcome(view.job.outcome)}"
    yield ""
    yield "Task Execution Details:"
    yield "-" * WIDTH
    for task in view.tasks:
        yield from _task_lines(task)
        if _was_refused(view, task):
            yield NOT_TAKEN


def _was_refused(view: JobView, task: Task) -> bool:
    return view.state.ended and not task.status.ended


def _task_lines(task: Task) -> Iterator[str]:
    said = WORDS[task.outcome] if task.outcome else ""
    yield f"{ICONS[task.status]} {task.id}: {task.status.value}{said}"
    yield f"   Command: {command_line(task)}"
    yield from _time_line("Started", task.started_at)
    # A skipped task never ran; older readers find the time of that decision in the file.
    label = "Ended" if task.status is TaskStatus.FAILED else "Completed"
    never_ran = task.status is TaskStatus.SKIPPED and task.outcome is not Outcome.SKIPPED_BY_EXIT_CODE
    yield from _time_line(label, None if never_ran else task.completed_at)
    attempts = [attempt for attempt in task.attempts if not _is_void(task, attempt)]
    if attempts:
        yield f"   Container: {container_line(attempts[-1])}"
    if len(attempts) > 1:
        yield f"   Attempts: {len(attempts)}"
    if task.result is not None:
        yield f"   Result: {cut(one_line(task.result.text), LONGEST_RESULT)}"
    if task.produced:
        yield f"   Outputs: {_files(task.produced)}"
    if task.failure:
        yield f"   Cause: {_cause(task.failure)}"
    if task.labels:
        yield f"   Labels: {_labels(task.labels)}"
    message = task.failure.message if task.failure else task.error
    if message:
        yield f"   {one_line(message)}"


def _condition(task: Task) -> str:
    """When a task runs that does not run after successes alone."""
    match task.run_if:
        case RunIf.FAILURE:
            return ", if one of them has failed"
        case RunIf.ALWAYS:
            return ", whatever becomes of them"
        case RunIf.SUCCESS:
            return ""


def _labels(labels: Mapping[str, str]) -> str:
    return one_line(", ".join(f"{key}={value}" for key, value in labels.items()))


def _outcome(outcome: JobOutcome) -> str:
    """In words."""
    return outcome.value.replace("_", " ")


def _files(files: Sequence[OutputFile]) -> str:
    """The first of them, and how many more there are."""
    named = ", ".join(
        f"{cut(one_line(file.path), LONGEST_RESULT)} ({file.size} bytes)" for file in files[:NAMED]
    )
    return named if len(files) <= NAMED else f"{named} and {len(files) - NAMED} more"


def _is_void(task: Task, attempt: Attempt) -> bool:
    """Whether nothing came of it but a container that nobody needed; older records do not say it."""
    return attempt.dropped or (task.status is TaskStatus.SKIPPED and attempt.timings.started_at is None)


def _time_line(label: str, moment: datetime | None) -> Iterator[str]:
    if moment is not None:
        yield f"   {label}: {format_time(moment)}"


def _job_reason(view: JobView) -> str:
    return _reason(view.job.failure, "")


def _reason(failure: Failure | None, without: str) -> str:
    """Cause and message; where no cause was recorded, the message `without`."""
    known = [_cause(failure), failure.message] if failure else [without]
    return one_line(": ".join(part for part in known if part)) or "no cause was recorded"


def _cause(failure: Failure) -> str:
    return failure.cause.value + _exit_code(failure.exit_code)


def _exit_code(code: int | None) -> str:
    return "" if code is None else f", exit code {code}"
