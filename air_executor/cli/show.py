"""The command `status`, for people and for programs."""

import json
import os
import shutil
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from air_executor.cli.airflow_status import look_at_airflow
from air_executor.cli.overview import gather, look_at_manager
from air_executor.client import Client
from air_executor.clock import utc_now
from air_executor.errors import BadInput
from air_executor.format.fields import format_time
from air_executor.format.models import JobView
from air_executor.format.text import job_text, task_text
from air_executor.logs import escaped

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 160
"""Columns where there is no terminal: room for a line of names that nobody has to see wrapped."""

LAST_LINES = 10
"""Of the log of the first task that failed: what is shown of its end."""


def overview(client: Client) -> None:
    """Print both systems, on one screen where there is one."""
    from air_executor.cli import render

    console = _console()
    jobs, containers = _room(shutil.get_terminal_size(fallback=(WIDE, 50)).lines)
    console.print(render.overview(gather(client, jobs), containers, utc_now()))


def job(client: Client, name: str) -> None:
    """Print one job in detail."""
    from air_executor.cli import render

    view, console = client.status(name), _console()
    # Long commands are left to the terminal to wrap, so that they can be copied and searched.
    console.print(render.job(view), soft_wrap=True)
    failed = view.failed_task
    if failed is None or (failed.attempt and failed.attempt.never_began):
        return
    if end := client.log_tail(name, failed.id, LAST_LINES).strip("\n"):
        console.print(f"The end of {failed.id}'s log:\n{end}", soft_wrap=True)


def overview_json(client: Client) -> None:
    """Print both systems as JSON, with every job."""
    manager = look_at_manager(client.store.home)
    words = manager.status.model_dump(mode="json") if manager.status else None
    _print_json(
        {
            "manager": {"home": manager.home, "running": manager.running, "status": words},
            "jobs": [_job_entry(found) for found in client.jobs()],
            "airflow": asdict(look_at_airflow(client.store.home)),
        }
    )


def job_json(client: Client, name: str) -> None:
    """Print one job as JSON: `job` as in state.json, `tasks` as in tasks.json."""
    view = client.status(name)
    tasks = [json.loads(task_text(task)) for task in view.tasks]
    _print_json({"job": json.loads(job_text(view.job)), "tasks": tasks})


def _room(lines: int) -> tuple[int, int]:
    """How many jobs and containers fit on a screen of so many lines."""
    free = lines - 16  # titles, headers, Airflow's runs
    jobs = min(15, max(3, free * 2 // 3))
    return jobs, min(10, max(3, free - jobs))


def _job_entry(found: JobView | BadInput) -> dict[str, Any]:
    if isinstance(found, BadInput):
        return {"name": Path(found.where).parent.name, "complaint": str(found)}
    counts = {"completed": found.completed, "total": len(found.tasks)}
    return {**json.loads(job_text(found.job)), "tasks": counts}


def _console() -> "Console":
    from rich.console import Console

    # Rich takes COLUMNS (which `watch` sets) or the terminal's width, but 80 where there is neither.
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDE
    return Console(width=width, markup=False, highlight=False, emoji=False)


def _print_json(value: Any) -> None:
    typer.echo(escaped(json.dumps(value, indent=2, ensure_ascii=False, default=_plain)))


def _plain(value: Any) -> str:
    return format_time(value) if isinstance(value, datetime) else str(value)
