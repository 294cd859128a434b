"""The manager dies while a cancelled job cleans up: the next one goes on with that, once.

No cancel counts twice, and the time of a job goes on.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.real_manager import RealManager, real_manager
from tests.scenarios.running import status_of
from tests.waiting import until


@pytest.fixture(scope="module")
def manager() -> Iterator[RealManager]:
    with real_manager() as manager:
        yield manager


def sh(task_id: str, script: str, *after: str, **fields: Any) -> dict[str, Any]:
    made = {"id": task_id, "command": "sh", "args": ["-c", script], "dependencies": list(after)}
    return made | fields


def cleaning(manager: RealManager, name: str, script: str) -> None:
    """A job that was cancelled, whose cleanup runs."""
    tasks = [sh("a", "sleep 60"), sh("clean", script, "a", run_if="always"), sh("b", "true", "a")]
    manager.client.create_job(name, tasks)
    until(lambda: status_of(manager.client.status(name), "a") == "running", 60)
    manager.client.cancel(name)
    until(lambda: status_of(manager.client.status(name), "clean") == "running", 60)


def test_cleanup_goes_on_over_a_restart_and_its_job_ends_as_cancelled(manager: RealManager) -> None:
    cleaning(manager, "goes-on", "echo begun >> /work/executions; sleep 2; echo cleaned")
    manager.kill()
    manager.start()
    view = manager.client.wait("goes-on", 60)
    assert [str(task.status) for task in view.tasks] == ["failed", "completed", "skipped"]
    assert view.job.failure is not None and view.job.failure.cause == "cancelled"
    work = manager.client.store.folder("goes-on").work
    assert (work / "executions").read_text() == "begun\n"


def test_a_second_cancel_while_no_manager_runs_ends_cleanup(manager: RealManager) -> None:
    cleaning(manager, "asked-again", "sleep 60")
    manager.kill()
    manager.client.cancel("asked-again")
    manager.start()
    view = manager.client.wait("asked-again", 60)
    assert [str(task.status) for task in view.tasks] == ["failed", "failed", "skipped"]


def test_a_jobs_time_goes_on_over_a_restart(manager: RealManager) -> None:
    tasks = [sh("a", "sleep 60"), sh("clean", "echo cleaned", "a", run_if="always")]
    manager.client.create_job("timed", tasks, timeout=3)
    until(lambda: manager.client.status("timed").state == "working", 60)
    manager.kill()
    manager.start()
    view = manager.client.wait("timed", 60)
    assert (view.state, view.job.outcome) == ("failed", "timed_out")
    assert view.job.failure is not None and view.job.failure.cause == "timeout"
    assert str(view.tasks[1].status) == "completed", "cleanup comes, whether `a` had begun in time or not"
