"""The folders that a container mounts."""

import os
import stat
from pathlib import Path

import pytest

from air_executor.errors import BadInput
from manager.folder import workspace
from manager.model.values import Owner

ME = Owner(os.geteuid(), os.getegid())
NOBODY = Owner(65534, 65534)
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    folder.mkdir()
    return folder


def test_what_a_container_mounts_is_made(job: Path) -> None:
    workspace.prepare(job, ME)
    assert sorted(str(path.relative_to(job)) for path in job.rglob("*")) == [
        "inbox",
        "inbox/new",
        "inbox/tmp",
        "logs",
        "work",
    ]


@ROOT
def test_work_and_inbox_are_the_tasks_and_nothing_else_is(job: Path) -> None:
    workspace.prepare(job, NOBODY)
    owners = {str(path.relative_to(job)): path.stat().st_uid for path in [job, *job.rglob("*")]}
    assert owners == {
        ".": 0,
        "logs": 0,
        "work": 65534,
        "inbox": 65534,
        "inbox/new": 65534,
        "inbox/tmp": 65534,
    }


@ROOT
def test_what_is_inside_of_work_keeps_its_owner(job: Path) -> None:
    (job / "work").mkdir()
    (job / "work" / "file").touch()
    workspace.prepare(job, NOBODY)
    assert (job / "work" / "file").stat().st_uid == 0


def test_preparing_twice_is_preparing_once(job: Path) -> None:
    workspace.prepare(job, ME)
    (job / "work" / "data").write_text("kept")
    workspace.prepare(job, ME)
    assert (job / "work" / "data").read_text() == "kept"


@pytest.mark.parametrize("name", ["work", "inbox", "logs", "inbox/new", "inbox/tmp"])
def test_a_link_in_the_place_of_a_folder_is_refused_and_its_target_untouched(
    job: Path, tmp_path: Path, name: str
) -> None:
    target = tmp_path / "precious"
    target.mkdir(mode=0o700)
    place = job / name
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(target)
    with pytest.raises(BadInput, match="must be folders"):
        workspace.prepare(job, NOBODY)
    assert list(target.iterdir()) == []
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert target.stat().st_uid == os.geteuid()


@pytest.mark.parametrize("name", ["work", "inbox", "logs"])
def test_a_file_in_the_place_of_a_folder_is_refused(job: Path, name: str) -> None:
    (job / name).write_text("a file")
    with pytest.raises(BadInput, match="must be folders"):
        workspace.prepare(job, ME)


def test_a_job_whose_folder_is_a_link_is_refused(job: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(job)
    with pytest.raises(BadInput):
        workspace.prepare(link, ME)
    with pytest.raises(OSError, match="link"):
        workspace.owner_of(link)


def test_the_owner_of_a_job_is_the_owner_of_its_folder(job: Path) -> None:
    assert workspace.owner_of(job) == ME
