"""The commands and their options; what they do is in the modules beside this one."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from air_executor.cli.manager_command import ManagerCommand
from air_executor.cli.problems import Commands
from air_executor.client import Client
from air_executor.store import HOME_VARIABLE

app = typer.Typer(
    name="air-executor",
    cls=Commands,
    help="Short, dependent tasks, each in a fresh container, with a durable record of each.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's name.")]


@app.callback()
def options(
    ctx: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home", envvar=HOME_VARIABLE, help="The folder with the jobs. Default: ./.air-executor."
        ),
    ] = None,
) -> None:
    """Short, dependent tasks, each in a fresh container, with a durable record of each."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without UTF-8 shows ? and not a traceback
            stream.reconfigure(errors="replace")
    ctx.obj = Client(home)


@app.command()
def create(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help='The job as JSON; "-" reads standard input.')],
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="LOCAL[:DEST]",
            help="A file or folder that is copied to /work/DEST (its name, if none); repeatable.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Create nothing; check everything, and tell what would be done.")
    ] = False,
) -> None:
    """Create a job from {"job": {"name": …}, "tasks": [{"id": …, "command": …}, …]}; prints its name.

    Exit code 2 when the file breaks a rule, or one of the operator's; the message names place and rule.
    """
    from air_executor.cli import jobs

    if dry_run:
        jobs.try_out(ctx.obj, file, inputs or [])
    else:
        jobs.create(ctx.obj, file, inputs or [])


@app.command()
def status(
    ctx: typer.Context,
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="The job to show; all, if none.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON.")] = False,
) -> None:
    """Show the manager, the jobs and Airflow on one screen, or one job in detail.

    Exit code 1 when there is no such job.
    """
    from air_executor.cli import show

    match job, as_json:
        case None, False:
            show.overview(ctx.obj)
        case None, True:
            show.overview_json(ctx.obj)
        case str(), False:
            show.job(ctx.obj, job)
        case str(), True:
            show.job_json(ctx.obj, job)


@app.command()
def logs(
    ctx: typer.Context,
    job: JobName,
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="The task; all of the job's, if none.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the task, or the job, has ended.")
    ] = False,
) -> None:
    """Print what a job's tasks have written to standard output and standard error."""
    from air_executor.cli.task_logs import Logs

    source = Logs(ctx.obj, job)
    match task, follow:
        case None, False:
            source.print_all()
        case None, True:
            source.follow_all()
        case str(), False:
            source.print_one(task)
        case str(), True:
            source.follow_one(task)


@app.command()
def results(
    ctx: typer.Context,
    job: JobName,
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="The task; all of the job's, if none.")
    ] = None,
) -> None:
    """Print what a job's tasks have written to $AIR_EXECUTOR_RESULT, as JSON: of all, or of one.

    Exit code 2 where that task has no result.
    """
    from air_executor.cli import results

    match task:
        case None:
            results.of_job(ctx.obj, job)
        case str():
            results.of_task(ctx.obj, job, task)


@app.command()
def wait(
    ctx: typer.Context,
    job: JobName,
    timeout: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Give up after so many seconds. Default: never."),
    ] = None,
) -> None:
    """Wait until a job has ended, and print how it goes on.

    Exit code 0: completed; 1: failed, or there is no such job; 3: not ended in time.
    """
    from air_executor.cli import jobs

    raise typer.Exit(jobs.wait(ctx.obj, job, timeout))


@app.command()
def cancel(ctx: typer.Context, job: JobName) -> None:
    """Ask for a job to be stopped: its containers get SIGTERM, and SIGKILL after a grace period.

    Cleanup (`run_if`) still runs; asked a second time, that is stopped as well.
    """
    from air_executor.cli import jobs

    jobs.cancel(ctx.obj, job)


@app.command()
def retry(ctx: typer.Context, job: JobName) -> None:
    """Run what failed and what was skipped of a failed job again, as new attempts; records are kept."""
    from air_executor.cli import jobs

    jobs.retry(ctx.obj, job)


@app.command()
def reset(
    ctx: typer.Context,
    job: JobName,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
) -> None:
    """Start an ended job over: its records, logs and work/ are deleted."""
    from air_executor.cli import jobs

    if not yes:
        jobs.confirm_reset(ctx.obj, job)
    jobs.reset(ctx.obj, job)


@app.command()
def queue(
    ctx: typer.Context,
    job: JobName,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND [ARGS]...", help="What the task runs.")],
    task_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The task's id. Default: a random one.")
    ] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A task that has to complete before; may be given repeatedly."),
    ] = None,
) -> None:
    """Ask for one more task in a job that has not ended; prints the task's id."""
    from air_executor.cli import jobs

    jobs.queue(ctx.obj, job, task_id, after or [], command)


@app.command(cls=ManagerCommand)
def manager(ctx: typer.Context) -> None:
    """Run the manager, which runs the jobs of the home folder, until SIGTERM or Ctrl-C."""
    from air_executor.cli import manager_command

    raise typer.Exit(manager_command.run(ctx.obj.store.home))


@app.command()
def config(ctx: typer.Context) -> None:
    """Print the manager's settings: value, where it comes from, and meaning."""
    from air_executor.cli import manager_command

    typer.echo(manager_command.configuration(ctx.obj.store.home))


@app.command()
def doctor(
    ctx: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Remove nothing; tell which containers would go.")
    ] = False,
) -> None:
    """Look at home folder, manager, engine and jobs; say what to do where something is wrong.

    Containers that serve nobody are removed where no manager runs that would do so.
    Exit code 0: nothing is bad; 1: something is.
    """
    from air_executor.cli import doctor, manager_command

    findings = manager_command.doctors_visit(ctx.obj.store.home, dry_run=dry_run)
    raise typer.Exit(doctor.report(findings))
