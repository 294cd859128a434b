"""All cases, each container made when its task's turn has come: its gate is opened at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_manager import RealManager, real_manager
from tests.scenarios.running import CASES, run, submit


@pytest.fixture(scope="module")
def manager() -> Iterator[RealManager]:
    with real_manager(look_ahead=0, warm=0) as manager:
        yield manager


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scenario(case: Path, manager: RealManager) -> None:
    view = run(case, manager, submit)
    attempts = [attempt for task in view.tasks for attempt in task.attempts]
    assert all(attempt.start == "cold" and attempt.gated for attempt in attempts)
