"""FAULTS 16: somebody removes a container, or a job's folder, while its task runs."""

from collections.abc import Iterator

import pytest

from tests.real_manager import RealManager, docker, real_manager
from tests.waiting import until


@pytest.fixture
def manager() -> Iterator[RealManager]:
    with real_manager() as manager:
        yield manager


def run_sleep(manager: RealManager, name: str) -> str:
    task = {"id": "sleeps", "command": "sleep", "args": ["60"], "retries": 0}
    manager.client.create_job(name, [task])
    until(lambda: manager.client.status(name).tasks[0].status == "running", 60)
    container = manager.client.status(name).tasks[0].attempts[0].container.id
    assert container is not None
    return container


def test_a_container_removed_by_somebody_else_is_lost_without_an_invented_exit_code(
    manager: RealManager,
) -> None:
    container = run_sleep(manager, "removed")
    docker("rm", "--force", container)
    task = manager.client.wait("removed", timeout=30).tasks[0]
    assert task.failure is not None and task.failure.cause == "lost"
    assert task.failure.exit_code is None and task.attempts[0].exit_code is None


def test_a_job_folder_that_vanishes_is_a_cancellation_and_its_containers_go(manager: RealManager) -> None:
    run_sleep(manager, "vanishes")
    # In one step: who deletes piece by piece races with views that are still being written.
    (manager.client.store.jobs / "vanishes").rename(manager.home / "vanished")
    until(lambda: not manager.containers(), 30)
    manager.client.create_job("next", [{"id": "a", "command": "true"}])
    assert manager.client.wait("next", timeout=30).state == "completed"
