"""Create, wait for, cancel, repeat and extend jobs."""

import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from air_executor import daemon
from air_executor.cli.dry_run import SEEN, UNSEEN, dry_run_lines
from air_executor.cli.problems import FAILED, complain
from air_executor.client import Client, read_document
from air_executor.errors import BadInput, quoted
from air_executor.format.documents import parse_json
from air_executor.format.inputs import FIELD
from air_executor.format.limits import OWN
from air_executor.format.models import JobState, JobView
from air_executor.inputs import named
from air_executor.report import failure_summary

COMPLETED = 0


def create(client: Client, file: str, inputs: Sequence[str] = ()) -> None:
    """Create the job that `file` describes ("-": standard input) and print its name."""
    files = _files(inputs)
    with _complaints_about(file):
        job, tasks = read_document(_read(file))
        client.create_job(tasks=tasks, files=files, **job.model_dump(exclude={"defaults"}))
    typer.echo(job.name)
    _note_that_it_waits(client, job.name)


def try_out(client: Client, file: str, inputs: Sequence[str] = ()) -> None:
    """Check all that `create` checks, and print what it would do; nothing is created."""
    files = _files(inputs)
    with _complaints_about(file):
        job, tasks = read_document(_read(file))
        view = client.check_job(tasks=tasks, files=files, **job.model_dump(exclude={"defaults"}))
    for line in dry_run_lines(view, UNSEEN if client.policy() is None else SEEN):
        typer.echo(line)


@contextmanager
def _complaints_about(file: str) -> Iterator[None]:
    try:
        yield
    except BadInput as error:
        if error.field == FIELD:  # what stands beside the file
            raise
        raise error.at("standard input" if file == "-" else file) from None


def _files(inputs: Sequence[str]) -> dict[str, Path]:
    """Where each goes, and what, of `local:place` or `local`. Raises BadInput."""
    files: dict[str, Path] = {}
    for place, path in map(named, inputs):
        if place in files:
            raise BadInput(
                f"{quoted(place)} is where {quoted(str(files[place]))} goes already", field="--input"
            )
        files[place] = path
    return files


def _note_that_it_waits(client: Client, job: str) -> None:
    """Say so where there is nobody who would run the job."""
    if not daemon.running(client.store.home):
        complain(f"{job} waits: no manager is running for {client.store.home}; start one with `make up`")


def _read(file: str) -> Any:
    # One byte more than allowed is enough to be refused; an endless input must not fill the memory.
    if file == "-":
        return parse_json(sys.stdin.buffer.read(OWN.bytes + 1), OWN)
    with Path(file).open("rb") as source:
        return parse_json(source.read(OWN.bytes + 1), OWN)


def wait(client: Client, job: str, timeout: float | None) -> int:
    """Print each change until the job has ended; the exit code says how. Raises WaitTimeout."""
    view = client.wait(job, timeout, on_change=_reporter())
    if view.state is JobState.COMPLETED:
        return COMPLETED
    task = view.failed_task
    complain(failure_summary(view, client.log_tail(job, task.id) if task else ""))
    return FAILED


def _reporter() -> Callable[[JobView], None]:
    """Prints state and progress, each line once."""
    last = ""

    def report(view: JobView) -> None:
        nonlocal last
        line = f"{view.name}: {view.state.value}, {view.progress}"
        if line != last:
            typer.echo(line)
            last = line

    return report


def cancel(client: Client, job: str) -> None:
    """Ask for the job to be stopped."""
    client.cancel(job)
    typer.echo(f"asked for {job} to be cancelled; `air-executor wait {job}` tells when it is over")


def retry(client: Client, job: str) -> None:
    """Ask that what failed and what was skipped runs again."""
    client.retry(job)
    typer.echo(f"asked for {job} to be tried again; `air-executor wait {job}` tells when it is over")
    _note_that_it_waits(client, job)


def confirm_reset(client: Client, job: str) -> None:
    """Ask whether an ended job's past may go; ends the command where it may not."""
    view = client.check_reset(job)
    typer.confirm(
        f"{job} ({view.state.value}, {view.progress}) starts over: its records, logs and work/ are deleted. "
        "Go on?",
        abort=True,
    )


def reset(client: Client, job: str) -> None:
    """Ask that the job starts over."""
    client.reset(job)
    typer.echo(f"asked for {job} to start over; `air-executor wait {job}` tells when it is over")
    _note_that_it_waits(client, job)


def queue(
    client: Client, job: str, task_id: str | None, after: Sequence[str], command: Sequence[str]
) -> None:
    """Ask for one more task and print its id."""
    task = {
        "id": task_id or f"queued-{secrets.token_hex(4)}",
        "command": command[0],
        "args": list(command[1:]),
        "dependencies": list(after),
    }
    typer.echo(client.queue(job, task))
