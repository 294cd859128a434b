"""Each job has a user of its own on the real engine, and keeps it when the manager is killed."""

from collections.abc import Callable, Iterator

import pytest

from tests.real_manager import RealManager, real_manager
from tests.waiting import until

WHO = "echo $(id -u):$(id -g) > $AIR_EXECUTOR_TASK"
HELD = f"{WHO}; until test -e go; do sleep 0.05; done"


@pytest.fixture
def manager(on_failure: Callable[..., None]) -> Iterator[RealManager]:
    with real_manager(job_uids="200000-200999", look_ahead=2) as made:
        on_failure("the manager and its containers", made.evidence)
        yield made


def test_each_job_has_one_for_all_its_tasks_also_after_the_manager_was_killed(manager: RealManager) -> None:
    tasks = [
        {"id": "a", "command": "sh", "args": ["-c", HELD]},
        {"id": "b", "command": "sh", "args": ["-c", WHO], "dependencies": ["a"]},
    ]
    for name in ("one", "two"):
        manager.client.create_job(name, tasks)
    works = [manager.client.store.folder(name).work for name in ("one", "two")]
    until(lambda: all((work / "a").exists() for work in works), 60)
    manager.kill()
    manager.start()
    for work in works:
        (work / "go").touch()
    for name in ("one", "two"):
        assert manager.client.wait(name, 30).state == "completed"
    users = [{(work / task).read_text().strip() for task in "ab"} for work in works]
    assert [len(each) for each in users] == [1, 1]
    assert users[0] != users[1]
    uids = [int(each.pop().partition(":")[0]) for each in users]
    assert all(200_000 <= uid <= 200_999 for uid in uids)
    assert [work.stat().st_uid for work in works] == uids
    assert manager.client.status("one").job.runs_as == f"{uids[0]}:{uids[0]}"
