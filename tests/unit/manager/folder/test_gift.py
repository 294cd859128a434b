"""What root's job has brought is given to its tasks' user, and nothing else."""

import os
from pathlib import Path

import pytest

from air_executor.format.inputs import Inputs
from manager.folder import gift, workspace
from manager.model.values import Owner

NOBODY = Owner(65534, 65534)
BROUGHT = Inputs(entries=3, bytes=1)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """One of root's, with a file in a folder."""
    (tmp_path / "works").mkdir()
    job = tmp_path / "jobs/job"
    (job / "work/project/models").mkdir(parents=True)
    (job / "work/project/models/a.sql").write_text("x")
    return job


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "works/job~0123"


def owners(work: Path) -> dict[str, int]:
    return {path.name: path.lstat().st_uid for path in (work, *work.rglob("*"))}


def given(work: Path) -> set[str]:
    handle = os.open(work.parent, os.O_RDONLY)
    try:
        gift.give(handle, work.name, NOBODY)
    finally:
        os.close(handle)
    return {name for name, owner in owners(work).items() if owner == NOBODY.uid}


def test_all_that_it_has_brought_is_its_tasks(job: Path, work: Path) -> None:
    workspace.prepare(job, work, NOBODY, inputs=BROUGHT)
    assert set(owners(work).values()) == {NOBODY.uid}
    assert (work / "project/models/a.sql").stat().st_gid == NOBODY.gid


def test_what_was_put_there_without_being_asked_of_us_keeps_its_owner(job: Path, work: Path) -> None:
    workspace.prepare(job, work, NOBODY)
    assert owners(work) == {work.name: NOBODY.uid, "project": 0, "models": 0, "a.sql": 0}


def test_so_does_what_is_in_a_job_of_somebody_elses(job: Path, work: Path) -> None:
    os.chown(job, 1000, 1000)
    workspace.prepare(job, work, NOBODY, inputs=BROUGHT)
    assert owners(work)["a.sql"] == 0


def test_a_manager_that_was_ended_in_between_is_followed_by_one_that_goes_on(job: Path, work: Path) -> None:
    (job / "work").rename(work)
    os.chown(work / "project/models", *NOBODY)
    os.chown(work / "project/models/a.sql", *NOBODY)
    workspace.prepare(job, work, NOBODY, inputs=BROUGHT)
    assert set(owners(work).values()) == {NOBODY.uid}


def test_links_pipes_and_what_is_somebody_elses_or_has_a_second_name_stay(job: Path, work: Path) -> None:
    (job / "work").rename(work)
    (secret := work.parent / "secret").write_text("x")
    os.link(secret, work / "second")
    (work / "link").symlink_to(secret)
    os.mkfifo(work / "pipe")
    (work / "theirs").touch()
    os.chown(work / "theirs", 1000, 1000)
    assert given(work) == {"project", "models", "a.sql"}
    assert secret.stat().st_uid == 0


@pytest.mark.parametrize("mode", [0o775, 0o777])
def test_nothing_is_given_in_a_folder_that_others_write_in(job: Path, work: Path, mode: int) -> None:
    (job / "work").rename(work)
    (work / "project/models").chmod(mode)
    assert given(work) == {"project", "models"}


def test_it_is_bounded(job: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gift, "MAX_ENTRIES", 2)
    (job / "work").rename(work)
    for number in range(5):
        (work / f"f{number}").touch()
    assert given(work) == {"models", "a.sql"}
