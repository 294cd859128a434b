"""All cases, the first container of each job made before anybody knew of it, and its spare for the next."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from air_executor import JobView
from tests.real_manager import RealManager, real_manager
from tests.scenarios.running import CASES, run, submit
from tests.waiting import until


@pytest.fixture(scope="module")
def manager() -> Iterator[RealManager]:
    seen: list[str] = []
    with real_manager(look_ahead=0, warm=2) as manager:
        yield manager
        views = (each for each in manager.client.jobs() if isinstance(each, JobView))
        seen += [attempt.start for view in views for task in view.tasks for attempt in task.attempts]
    assert seen.count("warm") > len(seen) / 3


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scenario(case: Path, manager: RealManager) -> None:
    until(lambda: len(manager.containers("--filter", "label=air-executor.role=warm")) >= 2)
    run(case, manager, submit)
