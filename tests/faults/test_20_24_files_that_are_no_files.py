"""FAULTS 20 and 25, outside of a task's reach: what stands where a job's files should be blocks nobody."""

import os
from collections.abc import Iterator

import pytest

from tests.real_manager import RealManager, real_manager
from tests.waiting import until


@pytest.fixture
def manager() -> Iterator[RealManager]:
    with real_manager() as manager:
        yield manager


def test_a_pipe_in_the_place_of_a_state_is_refused_and_other_jobs_go_on(manager: RealManager) -> None:
    folder = manager.client.store.jobs / "pipe"
    folder.mkdir()
    os.mkfifo(folder / "state.json")
    until(lambda: "is not a regular file" in manager.output(), 10)
    manager.client.create_job("other", [{"id": "a", "command": "true"}])
    assert manager.client.wait("other", timeout=30).state == "completed"


def test_a_damaged_journal_is_set_aside_and_other_jobs_go_on(manager: RealManager) -> None:
    sleep = [{"id": "a", "command": "sleep", "args": ["5"]}]
    for name in ("damaged", "whole"):
        manager.client.create_job(name, sleep)
        until(lambda name=name: manager.client.status(name).tasks[0].status == "running", 60)  # type: ignore[misc]
    manager.kill()
    (journal,) = (manager.home / "journal").glob("damaged~*.journal")
    journal.write_bytes(b"x" + journal.read_bytes())
    manager.start()
    assert manager.client.wait("whole", timeout=30).state == "completed"
    failure = manager.client.wait("damaged", timeout=30).job.failure
    assert failure is not None and failure.cause == "bad_input"
    assert list((manager.home / "journal").glob("damaged~*.damaged"))
    assert "is not what was written" in manager.output()
