"""FAULTS 4 and 5: the manager dies while a task runs; the task ends before or after the next one comes."""

from collections.abc import Iterator

import pytest

from air_executor import JobView
from tests.real_manager import RealManager, docker, real_manager
from tests.waiting import until

COUNTED = "echo begun >> /work/executions; echo early; sleep {seconds}; echo late; exit 7"


@pytest.fixture
def manager() -> Iterator[RealManager]:
    with real_manager() as manager:
        yield manager


def begin(manager: RealManager, name: str, seconds: float) -> JobView:
    command = COUNTED.format(seconds=seconds)
    manager.client.create_job(name, [{"id": "counted", "command": "sh", "args": ["-c", command]}])
    log = manager.client.log_file(name, "counted")
    until(lambda: log.exists() and "early" in log.read_text(), 60)
    until(lambda: manager.client.status(name).tasks[0].status == "running", 60)
    return manager.client.status(name)


def check_truth(manager: RealManager, before: JobView) -> JobView:
    """One container, its own exit code, all of its output, one execution."""
    after = manager.client.wait(before.name, timeout=30)
    task, was = after.tasks[0], before.tasks[0]
    assert [attempt.container.id for attempt in task.attempts] == [was.attempts[0].container.id]
    assert task.started_at == was.started_at
    assert task.failure is not None and (task.failure.cause, task.failure.exit_code) == ("exit", 7)
    assert manager.client.log_file(before.name, "counted").read_text() == "early\nlate\n"
    work = manager.client.store.folder(before.name).work
    assert (work / "executions").read_text() == "begun\n"
    return after


def test_a_task_that_outlives_its_manager_is_taken_up_again_by_the_next(manager: RealManager) -> None:
    before = begin(manager, "outlives", seconds=4)
    manager.kill()
    manager.start()
    check_truth(manager, before)


def test_a_task_that_ends_while_no_manager_runs_is_recorded_as_it_was(manager: RealManager) -> None:
    before = begin(manager, "ends-alone", seconds=1)
    container = before.tasks[0].attempts[0].container.id
    assert container is not None
    manager.kill()
    until(lambda: docker("inspect", "--format", "{{.State.Status}}", container).strip() == "exited", 60)
    finished = docker("inspect", "--format", "{{.State.FinishedAt}}", container).strip()
    manager.start()
    after = check_truth(manager, before)
    timings = after.tasks[0].attempts[0].timings
    assert timings.finished_at is not None and timings.recorded_at is not None
    assert timings.finished_at.isoformat()[:26] == finished[:26]
    assert timings.finished_at < timings.recorded_at


def test_sigterm_ends_the_manager_soon_and_leaves_containers_to_the_next(manager: RealManager) -> None:
    before = begin(manager, "goes-on", seconds=4)
    container = before.tasks[0].attempts[0].container.id
    assert container is not None
    manager.client.create_job("later", [{"id": "later", "command": "true"}])
    assert manager.stop() == 0
    assert docker("inspect", "--format", "{{.State.Status}}", container).strip() == "running"
    manager.start()
    check_truth(manager, before)
    assert manager.client.wait("later", timeout=30).state == "completed"
