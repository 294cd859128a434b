"""41: what a task could reach by its image's links, by a shared cache, and by scratch space that is none.

Root makes what is missing on the way to a mount. So a place must be what it looks like, and what one user has
put into a cache no other user finds.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from air_executor.format.attempts import Cause
from tests import engine_room
from tests.real_manager import RealManager, real_manager
from tests.waiting import until

PATIENCE = 60
LINKS = "ln -s /work /evil && ln -s /.air-executor/control /gate && mkdir -p /opt/app && echo x > /opt/app/x"


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealManager]:
    """Its default image has links; one of its mounts is gone."""
    config = f"""
    users = ["4711"]
    [mounts.gone]
    path = "{tmp_path_factory.mktemp("srv")}/gone"
    [mounts.wheels]
    cache = true
    size_mb = 1
    """
    with (
        engine_room.image_made_by(engine_room.client(), LINKS) as image,
        real_manager(config=config, look_ahead=4, runner_image=image) as made,
    ):
        yield made


def shell(task_id: str, script: str, **fields: Any) -> dict[str, Any]:
    return {"id": task_id, "command": "sh", "args": ["-c", script]} | fields


def said(manager: RealManager, job: str, task_id: str = "a") -> str:
    return manager.client.log_file(job, task_id).read_text()


@pytest.mark.parametrize(
    ("name", "place"),
    [("to-work", "/evil/new"), ("to-the-gate", "/gate"), ("over-a-file", "/opt/app/x")],
)
def test_a_place_behind_a_link_of_the_image_is_refused_and_root_makes_nothing(
    manager: RealManager, name: str, place: str
) -> None:
    manager.client.create_job(name, [shell("a", "true", scratch={place: 1})])
    view = manager.client.wait(name, timeout=PATIENCE)
    assert view.job.failure is not None
    assert view.job.failure.cause is Cause.BAD_INPUT
    assert f"nothing can be mounted at {place}" in view.job.failure.message
    assert view.job.work_folder is not None
    assert list((manager.home / "work" / view.job.work_folder).iterdir()) == []


def test_what_the_image_has_at_a_place_is_hidden_from_its_task_alone(manager: RealManager) -> None:
    script = "ls -A /opt/app"
    tasks = [shell("a", script, scratch={"/opt/app": 1}), shell("b", script, dependencies=["a"])]
    manager.client.create_job("hidden", tasks)
    assert manager.client.wait("hidden", timeout=PATIENCE).state == "completed"
    assert (said(manager, "hidden"), said(manager, "hidden", "b")) == ("", "x\n")


def test_a_folder_that_is_gone_is_told_once_and_other_jobs_go_on(manager: RealManager) -> None:
    manager.client.create_job("gone", [shell("a", "true", mounts=["gone"], retries=3)])
    manager.client.create_job("beside", [shell("a", "true")])
    view = manager.client.wait("gone", timeout=PATIENCE)
    assert len(view.tasks[0].attempts) == 1
    assert view.job.failure is not None
    assert view.job.failure.cause is Cause.BAD_INPUT
    assert "setting `mounts.gone.path`" in view.job.failure.message
    assert manager.client.wait("beside", timeout=PATIENCE).state == "completed"


@pytest.mark.skipif(os.geteuid() != 0, reason="tasks of two users")
def test_a_cache_is_shared_by_the_jobs_of_one_user_and_by_nobody_else(manager: RealManager) -> None:
    leave = "echo mine > /mnt/wheels/w"
    manager.client.create_job("leaves", [shell("a", leave, mounts=["wheels"])])
    assert manager.client.wait("leaves", timeout=PATIENCE).state == "completed"
    manager.client.create_job(
        "finds", [shell("a", "cat /mnt/wheels/w", mounts={"wheels": {"read_only": True}})]
    )
    manager.client.create_job("looks", [shell("a", "ls -A /mnt/wheels", mounts=["wheels"], user="4711")])
    for job in ("finds", "looks"):
        assert manager.client.wait(job, timeout=PATIENCE).state == "completed"
    assert (said(manager, "finds"), said(manager, "looks")) == ("mine\n", "")


def test_a_cache_that_a_task_has_closed_is_open_to_the_next_job(manager: RealManager) -> None:
    manager.client.create_job("closes", [shell("a", "chmod 0 /mnt/wheels", mounts=["wheels"])])
    assert manager.client.wait("closes", timeout=PATIENCE).state == "completed"
    script = "touch /mnt/wheels/again && stat -c %a /mnt/wheels"
    manager.client.create_job("finds-it-open", [shell("a", script, mounts=["wheels"], retries=0)])
    assert manager.client.wait("finds-it-open", timeout=PATIENCE).state == "completed"
    assert said(manager, "finds-it-open") == "700\n"


def test_a_task_with_mounts_and_scratch_waits_ahead_of_its_turn(manager: RealManager) -> None:
    space = {"scratch": {"/s": 1, "/t": {"size_mb": 5, "on": "disk"}}, "mounts": ["wheels"]}
    script = "echo x > /s/x && echo x > /t/x && echo x > /mnt/wheels/x"
    tasks = [shell("a", "sleep 1"), shell("b", script, dependencies=["a"], **space)]
    manager.client.create_job("ahead", tasks)
    view = manager.client.wait("ahead", timeout=PATIENCE)
    assert view.state == "completed"
    assert view.tasks[1].attempts[0].start == "ahead"


def test_scratch_on_the_disk_with_more_than_was_asked_for_stops_its_job(manager: RealManager) -> None:
    fill = "for n in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/zero > /s/$n; done; sleep 600"
    manager.client.create_job("fills", [shell("a", fill, scratch={"/s": {"size_mb": 4, "on": "disk"}})])
    view = manager.client.wait("fills", timeout=PATIENCE)
    assert view.job.failure is not None
    assert "its scratch space /s has 8 MiB, and asked for 4" in view.job.failure.message
    assert [name for name in manager.gates() if name.startswith("airx-fills")] == []


def test_a_manager_that_was_killed_finds_its_tasks_with_all_that_they_were_given(
    manager: RealManager,
) -> None:
    space = {"scratch": {"/t": {"size_mb": 5, "on": "disk"}}, "mounts": ["wheels"]}
    script = (
        "echo kept | tee /t/x > /mnt/wheels/k; "
        "until [ -e /work/go ]; do sleep 0.05; done; cat /t/x /mnt/wheels/k"
    )
    manager.client.create_job("killed", [shell("a", script, **space)])
    until(lambda: manager.client.status("killed").tasks[0].status == "running", PATIENCE)
    manager.kill()
    manager.start()
    work = manager.client.status("killed").job.work_folder
    assert work is not None
    (manager.home / "work" / work / "go").touch()
    view = manager.client.wait("killed", timeout=PATIENCE)
    assert (view.state, len(view.tasks[0].attempts)) == ("completed", 1)
    assert said(manager, "killed") == "kept\nkept\n"
