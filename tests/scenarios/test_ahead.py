"""All cases, each container made before its task's turn: a task before the first ones holds them back."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from air_executor import JobView
from tests.real_manager import RealManager
from tests.scenarios import running
from tests.scenarios.running import CASES, run, starting
from tests.waiting import until

OPENER = "opener"
OPEN = "open-the-gates"
PATIENCE = 3
"""Seconds for which containers are waited for; not all can be made ahead, or at all."""


@pytest.fixture(scope="module")
def manager() -> Iterator[RealManager]:
    with starting("ahead", look_ahead=64, warm=0) as manager:
        yield manager


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scenario(case: Path, manager: RealManager) -> None:
    run(case, manager, submit)


def submit(manager: RealManager, name: str, given: dict[str, Any]) -> None:
    """With a task before all others, which ends when their containers wait."""
    if "tasks" not in given:
        running.submit(manager, name, given)
        return
    held = [
        task if task.get("dependencies") else task | {"dependencies": [OPENER]} for task in given["tasks"]
    ]
    firsts = [task["id"] for task in held if task["dependencies"] == [OPENER]]
    script = f"until [ -e {OPEN} ]; do sleep 0.02; done; rm {OPEN}"
    opener = {"id": OPENER, "command": "sh", "args": ["-c", script]}
    running.submit(manager, name, given | {"tasks": [opener, *held]})
    with suppress(AssertionError):
        until(lambda: all_wait(manager.client.status(name), firsts), PATIENCE)
    until(lambda: (manager.home / "jobs" / name / "work" / ".").exists())
    (manager.home / "jobs" / name / "work" / OPEN).touch()


def all_wait(view: JobView, tasks: list[str]) -> bool:
    """Whether the containers of all of them are at their gates."""
    attempts = {task.id: task.attempt for task in view.tasks}
    return all((attempt := attempts[name]) and attempt.phase == "waiting" for name in tasks)
