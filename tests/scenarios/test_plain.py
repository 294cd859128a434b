"""As on a host where no gate works: the command is the first thing that its container runs.

All cases but those in which the engine knows less than a gate: that an exit code is no signal's.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manager.model.containers import GATE_IN_IMAGE
from tests import engine_room
from tests.real_manager import RealManager, real_manager
from tests.scenarios.running import WITHOUT_GATES, run, submit


@pytest.fixture(scope="module")
def manager() -> Iterator[RealManager]:
    docker_client: Any = engine_room.client()
    with (
        engine_room.runner_image_without(docker_client, GATE_IN_IMAGE) as image,
        real_manager(look_ahead=0, warm=0, runner_image=image) as manager,
    ):
        yield manager


@pytest.mark.parametrize("case", WITHOUT_GATES, ids=lambda case: case.name)
def test_scenario(case: Path, manager: RealManager) -> None:
    view = run(case, manager, submit)
    assert not any(attempt.gated for task in view.tasks for attempt in task.attempts)
