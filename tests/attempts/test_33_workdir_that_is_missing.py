"""A job writer names a working directory in `/work` that is not there: an engine makes it, as root's.

What stops it: the manager makes it for a container that is made when its turn has come; for one that waits,
its gate does, as the task's user, when the command begins.
"""

import os

import pytest

from tests.real_manager import RealManager

TOUCH = {"command": "sh", "args": ["-c", "touch mine && pwd"], "workdir": "/work/new/deep", "retries": 0}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's engine would make it for another user")
@pytest.mark.parametrize(
    ("name", "before"),
    [("cold", []), ("ahead", [{"id": "before", "command": "sh", "args": ["-c", "ls /work; sleep 0.5"]}])],
)
def test_it_is_the_tasks_own_and_is_not_there_before_its_time(
    served: RealManager, name: str, before: list[dict[str, object]]
) -> None:
    task = {"id": "a", "dependencies": [each["id"] for each in before]} | TOUCH
    served.client.create_job(f"workdir-{name}", [*before, task])
    view = served.client.wait(f"workdir-{name}", timeout=60)
    assert view.state == "completed", view.job.failure
    assert view.tasks[-1].attempts[0].start == name
    logs = served.home / "jobs" / f"workdir-{name}" / "logs"
    assert (logs / "a.log").read_text() == "/work/new/deep\n"
    if before:
        assert (logs / "before.log").read_text() == ""
