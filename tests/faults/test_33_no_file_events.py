"""FAULTS 33: a file system that tells of no change, as those on a network do: polling finds everything."""

import sys
from collections.abc import Callable, Iterator

import pytest

from tests.real_manager import RealManager, idle_manager
from tests.waiting import until

POLL = 2
SLACK = 8
"""Seconds beyond one poll: for a machine that is busy; far below the minutes of a look that never comes."""
SEEN = POLL + SLACK
PATIENCE = 60


def sh(task_id: str, script: str, **fields: object) -> dict[str, object]:
    return {"id": task_id, "command": "sh", "args": ["-c", script], "network": "none"} | fields


@pytest.fixture
def manager(on_failure: Callable[..., None]) -> Iterator[RealManager]:
    with idle_manager(poll_interval=POLL) as manager:
        manager.command = [sys.executable, "-m", "tests.faults.launched_with", "no-file-events"]
        on_failure("the manager and its containers", manager.evidence)
        manager.start()
        yield manager
        manager.stop()


def run(manager: RealManager, name: str, *tasks: dict[str, object]) -> None:
    manager.client.create_job(name, tasks)
    until(lambda: manager.client.status(name).state == "working", SEEN)
    until(lambda: manager.client.status(name).tasks[0].status == "running", PATIENCE)


def test_a_job_and_its_cancellation_are_seen_at_the_next_poll(manager: RealManager) -> None:
    run(manager, "cancelled", sh("a", "exec sleep 600"))
    manager.client.cancel("cancelled")
    until(lambda: manager.client.status("cancelled").job.failure is not None, SEEN)
    failure = manager.client.wait("cancelled", timeout=PATIENCE).job.failure
    assert failure is not None and failure.cause == "cancelled"


def test_tasks_that_are_queued_from_inside_and_outside_are_seen_at_the_next_poll(
    manager: RealManager,
) -> None:
    child = "queue-task --id inside -- true > /dev/null; while test -e /work/hold; do sleep 0.1; done"
    run(manager, "grows", sh("a", f"touch /work/hold; {child}"))
    manager.client.queue("grows", sh("outside", "true"))
    until(lambda: len(manager.client.status("grows").job.requests) == 2, SEEN)
    (manager.client.store.folder("grows").work / "hold").unlink()
    view = manager.client.wait("grows", timeout=PATIENCE)
    assert view.state == "completed"
    assert {task.id for task in view.tasks} == {"a", "inside", "outside"}


@pytest.mark.parametrize("by_hand", [False, True], ids=["with the library", "by hand"])
def test_a_retry_is_seen_at_the_next_poll(manager: RealManager, by_hand: bool) -> None:
    manager.client.create_job("again", [sh("a", "test $AIR_EXECUTOR_ATTEMPT = 2")])
    assert manager.client.wait("again", timeout=PATIENCE).state == "failed"
    folder = manager.client.store.folder("again")
    if by_hand:
        folder.retry_marker.touch()
    else:
        manager.client.retry("again")
    until(lambda: not folder.retry_marker.exists(), SEEN)
    assert manager.client.wait("again", timeout=PATIENCE).state == "completed"
