"""A writer's tasks.json is a link to another job's: a job's folder is read through a handle of it, no link is
followed, what is not the folder's own is refused, and the tasks of a refused job are not written anew."""

import os
from pathlib import Path

import pytest

from air_executor import BadInput, Client
from air_executor.store import JobFolder
from tests.attempts.other_user import needs_root
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import Start
from tests.unit.manager.conftest import start  # noqa: F401
from tests.waiting import until

SECRET = "s3cret-of-23456"
WRITER = 50000
OWNER = 23456


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


def victim(home: Path) -> JobFolder:
    client = Client(home)
    client.create_job("victim", [{"id": "a", "command": "true", "env": {"DB_PASSWORD": SECRET}}])
    return client.store.folder("victim")


def thief(home: Path, place: str) -> JobFolder:
    client = Client(home)
    client.create_job("thief", [{"id": "a", "command": "true"}])
    folder = client.store.folder("thief")
    if place == "link":
        folder.tasks_file.unlink()
        folder.tasks_file.symlink_to("../victim/tasks.json")
    else:
        folder.tasks_file.unlink()
        os.link(victim(home).tasks_file, folder.tasks_file)
    return folder


def test_a_link_is_refused_and_nothing_of_its_target_is_published(tmp_path: Path, start: Start) -> None:  # noqa: F811
    victim(tmp_path)
    folder = thief(tmp_path, "link")
    start()
    until(lambda: folder.read_job().state == "failed")
    assert folder.tasks_file.is_symlink()
    for file in folder.path.rglob("*"):
        assert file.is_symlink() or not file.is_file() or SECRET not in file.read_text()
    failure = folder.read_job().failure
    assert failure is not None
    assert "tasks.json: is a link" in failure.message


@needs_root
def test_another_name_of_somebody_elses_file_is_refused(tmp_path: Path) -> None:
    folder = thief(tmp_path, "name")
    os.chown(folder.path, WRITER, WRITER)
    os.chown(folder.tasks_file, OWNER, OWNER)
    with pytest.raises(BadInput, match="somebody else's file"):
        folder.read_tasks()
    victims = folder.path.parent / "victim"
    (victims / "tasks.json").unlink()  # it is the only name now, but whose file it is has not changed
    with pytest.raises(BadInput, match="somebody else's file"):
        folder.read_tasks()


def test_a_folder_that_is_a_link_is_no_job(tmp_path: Path) -> None:
    folder = victim(tmp_path)
    linked = JobFolder(tmp_path / "jobs" / "linked")
    linked.path.symlink_to(folder.path)
    with pytest.raises(OSError, match="Not a directory"):
        linked.read()
