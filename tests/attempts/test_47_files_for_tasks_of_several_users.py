"""A job's writer brings files, and its tasks have other users: they find them as far as they share the work
folder, and nobody else on this machine finds any."""

from collections.abc import Callable, Iterator

import pytest

from tests.attempts.other_user import can_not_read, does, needs_root
from tests.real_manager import RealManager, real_manager

pytestmark = needs_root
WRITER, LISTED = 12001, "12002"


@pytest.fixture(scope="module")
def shared() -> Iterator[RealManager]:
    with real_manager(users=f'["{LISTED}"]', look_ahead=2) as made:
        made.home.chmod(0o755)
        made.client.store.jobs.mkdir(exist_ok=True)
        made.client.store.jobs.chmod(0o1777)
        yield made


@pytest.fixture
def manager(shared: RealManager, on_failure: Callable[..., None]) -> RealManager:
    on_failure("the manager and its containers", shared.evidence)
    return shared


def sh(task_id: str, script: str, *after: str, **fields: object) -> dict[str, object]:
    words = {
        "id": task_id,
        "command": "sh",
        "args": ["-ec", script],
        "dependencies": after,
        "network": "none",
    }
    return words | {"retries": 0} | fields


def test_whoever_shares_the_work_folder_changes_them_and_nobody_else_reads_them(manager: RealManager) -> None:
    tasks = [
        sh("a", "echo a >> data/f; data/run"),
        sh("b", "echo b >> data/f; touch data/new", "a", user=LISTED),
    ]
    (tool := manager.home / "tool").write_text("#!/bin/sh\necho ran\n")
    tool.chmod(0o755)
    files = {"data/f": "x\n", "data/run": tool}
    does(lambda: manager.client.create_job("shared", tasks, files=files), WRITER)
    view = manager.client.wait("shared", 60)
    assert view.state == "completed", view.job.failure
    assert manager.client.log_tail("shared", "a") == "ran"
    work = manager.client.store.existing("shared").work
    assert (work / "data" / "f").read_text() == "x\na\nb\n"
    can_not_read(work.resolve() / "data" / "f")


def test_tasks_of_a_job_of_roots_change_them_and_make_files_beside_them(manager: RealManager) -> None:
    tasks = [sh("a", "echo a >> data/f; touch data/target"), sh("b", "echo b >> data/f", "a", user=LISTED)]
    manager.client.create_job("roots", tasks, files={"data/f": "x\n"})
    view = manager.client.wait("roots", 60)
    assert view.state == "completed", view.job.failure
    work = manager.client.store.existing("roots").work
    assert ((work / "data" / "f").read_text(), (work / "data" / "target").exists()) == ("x\na\nb\n", True)
    can_not_read(work.resolve() / "data" / "f")
