"""All cases, the first container of each job made before anybody knew of it, and its spare for the next."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_manager import RealManager
from tests.scenarios.running import CASES, run, starting, submit
from tests.waiting import until


@pytest.fixture(scope="module")
def manager() -> Iterator[RealManager]:
    with starting("warm", look_ahead=0, warm=2) as manager:
        yield manager


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scenario(case: Path, manager: RealManager) -> None:
    until(lambda: len(manager.containers("--filter", "label=air-executor.role=warm")) >= 2)
    run(case, manager, submit)
