"""How things look on a screen. Nothing here reads files or asks anybody."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from air_executor.cli.airflow_status import DEMO_DAG, AirflowStatus
from air_executor.cli.overview import JobsInfo, LiveContainer, ManagerInfo, Overview
from air_executor.format.models import JobState, JobView
from air_executor.report import job_lines, one_line

STATE_ICONS = {
    JobState.WAITING: "⏳",
    JobState.WORKING: "🔄",
    JobState.COMPLETED: "✅",
    JobState.FAILED: "❌",
}
COLOURS = {"✅": "green", "❌": "red", "🔄": "cyan", "⏭": "yellow"}
MOST_COMPLAINTS = 5
MOST_PULLS = 3
ASK_FOR_READING = "run this as the manager's user, or ask to be let into the group that may (readers_group)"


def overview(look: Overview, most_containers: int, now: datetime) -> RenderableType:
    """Both systems on one screen."""
    return Group(
        *_manager(look.manager, now),
        Text(),
        *_jobs(look.jobs, now),
        Text(),
        *_containers(look.jobs.containers, most_containers, now),
        Text(),
        *_airflow(look.airflow, now),
    )


def job(view: JobView) -> RenderableType:
    """One job in detail."""
    return Group(*(_coloured(line) for line in job_lines(view)))


def age(moment: datetime | None, now: datetime) -> str:
    """How long ago `moment` is: `5s`, `3m`, `2h`, `4d`; never negative."""
    if moment is None:
        return ""
    seconds = max(0, int((now - moment).total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m"
    if seconds < 86400:
        return f"{seconds // 3600}h"
    return f"{seconds // 86400}d"


def _manager(info: ManagerInfo, now: datetime) -> Iterator[RenderableType]:
    if info.closed:
        yield _title("Manager", f"❔ its words are not yours to read: {ASK_FOR_READING}")
    elif not info.running:
        seen = f" (last seen {age(info.status.updated_at, now)} ago)" if info.status else ""
        yield _title("Manager", f"❌ not running{seen}: start it with `make up`")
    elif info.status is None:
        yield _title("Manager", "✅ running")
    else:
        status = info.status
        since = f"{_clock(status.started_at)} ({age(status.started_at, now)})"
        runners = f"{status.runners} of {status.max_runners} runners in use"
        icon = "⚠️" if status.problem else "✅"
        yield _title("Manager", f"{icon} running since {since}, {runners}, {one_line(status.engine)}")
        if status.problem:
            yield Text(f"          {one_line(status.problem)}", style="yellow")
        for pull in status.pulling[:MOST_PULLS]:
            yield Text(f"          pulling {one_line(pull)}", style="cyan")
        if len(status.pulling) > MOST_PULLS:
            yield Text(f"          and {len(status.pulling) - MOST_PULLS} more images", style="cyan")
    yield Text(f"          {info.home}")


def _jobs(info: JobsInfo, now: datetime) -> Iterator[RenderableType]:
    counts = [f"{info.counts[state]} {state.value}" for state in JobState if info.counts[state]]
    yield _title("Jobs", ", ".join(counts) or "none yet")
    if info.shown:
        table = _table("", "JOB", "STATE", "TASKS", "AGE")
        for view in info.shown:
            icon = STATE_ICONS[view.state]
            cells = (icon, view.name, view.state.value, view.progress, age(view.job.created_at, now))
            table.add_row(*cells, style=COLOURS.get(icon))
        yield table
    if info.closed:
        yield Text(f"  and {info.closed} that are not yours to read: {ASK_FOR_READING}")
    if info.hidden:
        yield Text(f"  and {info.hidden} more: `air-executor status --json` has all")
    for complaint in info.complaints[:MOST_COMPLAINTS]:
        yield Text(f"  ❌ {one_line(str(complaint))}", style="red")
    if len(info.complaints) > MOST_COMPLAINTS:
        yield Text(f"  and {len(info.complaints) - MOST_COMPLAINTS} more that can't be read", style="red")


def _containers(containers: list[LiveContainer], most: int, now: datetime) -> Iterator[RenderableType]:
    running = sum(container.runs for container in containers)
    waiting = f", and {len(containers) - running} that wait for their tasks' turn"
    words = f"{running} container{'' if running == 1 else 's'}"
    yield _title("Running", words + (waiting if running < len(containers) else ""))
    if containers:
        table = _table("", "CONTAINER", "JOB", "TASK", "SINCE")
        for container in containers[:most]:
            since = age(container.since, now)
            icon = "🐳" if container.runs else "⏳"
            table.add_row(icon, one_line(container.name), container.job, container.task, since)
        yield table
    if len(containers) > most:
        yield Text(f"  and {len(containers) - most} more")


def _airflow(airflow: AirflowStatus, now: datetime) -> Iterator[RenderableType]:
    if airflow.healthy:
        yield _title("Airflow", f"✅ healthy at {airflow.address} {one_line(airflow.remark)}".rstrip())
    else:
        yield _title("Airflow", f"❌ {one_line(airflow.remark)}")
    if airflow.runs:
        table = _table("", f"RUNS OF {DEMO_DAG}", "STATE", "SINCE")
        for run in airflow.runs:
            icon = {"success": "✅", "failed": "❌", "running": "🔄"}.get(run.state, "⏳")
            cells = (icon, one_line(run.run_id), one_line(run.state), age(run.started_at, now))
            table.add_row(*cells, style=COLOURS.get(icon))
        yield table


def _title(name: str, text: str) -> Text:
    return Text.assemble((f"{name:<10}", "bold"), text)


def _table(*columns: str) -> Table:
    # So narrow that a job of the demo DAG takes one line of 80 columns.
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for column in columns:
        # Names are for copying: long ones go on in the next line rather than being cut.
        table.add_column(column, overflow="fold")
    return table


def _coloured(line: str) -> Text:
    return Text(line, style=COLOURS.get(line[:1], ""))


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
