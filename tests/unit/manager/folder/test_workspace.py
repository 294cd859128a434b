"""The folders that a container mounts."""

import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
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
    folder = tmp_path / "jobs" / "job"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where the job's work folder is to be, in the manager's own."""
    (tmp_path / "work").mkdir(mode=0o711)
    return tmp_path / "work" / "job~0123"


def test_what_a_job_needs_is_made_and_its_folder_leads_to_its_work(job: Path, work: Path) -> None:
    workspace.prepare(job, work, ME)
    there = ["inbox", "inbox/new", "inbox/tmp", "logs", "work"]
    assert sorted(str(path.relative_to(job)) for path in job.rglob("*")) == there
    assert (job / "work").readlink() == Path("../../work/job~0123")
    assert (job / "work").samefile(work)


@ROOT
def test_the_work_folder_is_the_tasks_and_the_rest_that_of_whoever_has_the_jobs_folder(
    job: Path, work: Path
) -> None:
    os.chown(job, 1000, 1001)
    workspace.prepare(job, work, NOBODY)
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in (work, *job.rglob("*"))}
    assert owners.pop(work.name) == owners.pop("work") == NOBODY
    assert set(owners.values()) == {(1000, 1001)}


@ROOT
def test_a_work_folder_is_open_to_its_user_and_group_alone(job: Path, work: Path) -> None:
    workspace.prepare(job, work, NOBODY)
    assert stat.S_IMODE(work.stat().st_mode) == 0o750


def test_what_a_job_brings_as_work_is_its_work_folder_from_then_on(job: Path, work: Path) -> None:
    (job / "work").mkdir()
    (job / "work" / "file").write_text("brought")
    workspace.prepare(job, work, ME)
    assert not work.is_symlink()
    assert (work / "file").read_text() == "brought"
    assert (job / "work" / "file").read_text() == "brought"


@ROOT
def test_what_is_inside_of_work_keeps_its_owner(job: Path, work: Path) -> None:
    (job / "work").mkdir()
    (job / "work" / "file").touch()
    workspace.prepare(job, work, NOBODY)
    assert (work / "file").stat().st_uid == 0


def test_preparing_twice_is_preparing_once(job: Path, work: Path) -> None:
    workspace.prepare(job, work, ME)
    (work / "data").write_text("kept")
    workspace.prepare(job, work, ME)
    assert (work / "data").read_text() == "kept"


def test_many_who_prepare_the_same_job_at_once_find_it_prepared(job: Path, work: Path) -> None:
    (job / "work").mkdir()
    (job / "work" / "file").touch()
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(workspace.prepare, job, work, ME) for _ in range(40)]:
            done.result()
    assert (work / "file").exists()
    assert (job / "work").samefile(work)


def test_a_link_that_is_exchanged_leads_nobody_but_people(job: Path, work: Path, tmp_path: Path) -> None:
    workspace.prepare(job, work, ME)
    (job / "work").unlink()
    workspace.prepare(job, work, ME)
    assert (job / "work").samefile(work)


@ROOT
def test_a_working_directory_that_is_missing_is_made_as_the_tasks_user(job: Path, work: Path) -> None:
    workspace.prepare(job, work, NOBODY)
    (work / "there").mkdir()
    workspace.make_workdir(work, ("there", "new", "deep"), NOBODY)
    owners = [(work / way).stat().st_uid for way in ("there", "there/new", "there/new/deep")]
    assert owners == [0, 65534, 65534]


def test_what_a_task_has_put_in_its_way_is_not_followed(job: Path, work: Path, tmp_path: Path) -> None:
    workspace.prepare(job, work, ME)
    (tmp_path / "precious").mkdir()
    (work / "link").symlink_to(tmp_path / "precious")
    workspace.make_workdir(work, ("link", "new"), ME)
    assert list((tmp_path / "precious").iterdir()) == []


def test_a_folder_that_is_put_there_later_is_left_alone(job: Path, work: Path) -> None:
    workspace.prepare(job, work, ME)
    (job / "work").unlink()
    (job / "work").mkdir()
    (job / "work" / "file").touch()
    workspace.prepare(job, work, ME)
    assert not (job / "work").is_symlink()
    assert work.is_dir()


@pytest.mark.parametrize("when", ["before", "later"])
def test_an_empty_folder_in_the_place_of_work_brings_nothing(job: Path, work: Path, when: str) -> None:
    """So the work folder is the same whether it was made for the job, or waited for it."""
    if when == "later":
        workspace.prepare(job, work, ME)
        (work / "result").touch()
        (job / "work").unlink()
    (job / "work").mkdir(mode=0o2777)
    workspace.prepare(job, work, ME)
    assert (job / "work").readlink() == Path("../../work/job~0123")
    assert stat.S_IMODE(work.stat().st_mode) == 0o750
    assert (work / "result").exists() is (when == "later")


def in_place_of_work(job: Path, what: str) -> None:
    place = job / "work"
    match what:
        case "empty folder":
            place.mkdir()
        case "link of a copy":
            place.symlink_to("../../work/another~4567")
        case "folder with a file":
            place.mkdir()
            (place / "file").touch()
        case "file":
            place.touch()
        case "link elsewhere":
            place.symlink_to("/var/run")


@pytest.mark.parametrize("what", ["nothing", "empty folder", "link of a copy"])
def test_a_job_brings_no_work_where_preparing_passes_over_it(job: Path, work: Path, what: str) -> None:
    in_place_of_work(job, what)
    assert not workspace.brings_work(job)
    workspace.prepare(job, work, ME)
    assert list(work.iterdir()) == []
    assert (job / "work").readlink() == Path("../../work/job~0123")


@pytest.mark.parametrize("what", ["folder with a file", "file", "link elsewhere"])
def test_a_job_brings_work_where_something_else_is_in_its_place(job: Path, what: str) -> None:
    in_place_of_work(job, what)
    assert workspace.brings_work(job)


def test_what_a_job_brings_is_not_told_where_it_is_gone(job: Path) -> None:
    job.rmdir()
    with pytest.raises(FileNotFoundError):
        workspace.brings_work(job)


def test_the_link_in_a_copy_of_a_jobs_folder_is_put_right(job: Path, work: Path) -> None:
    (job / "work").symlink_to("../../work/another~4567")
    workspace.prepare(job, work, ME)
    assert (job / "work").readlink() == Path("../../work/job~0123")


@pytest.mark.parametrize("name", ["work", "inbox", "logs"])
def test_a_link_in_the_place_of_a_folder_is_refused_and_its_target_untouched(
    job: Path, work: Path, tmp_path: Path, name: str
) -> None:
    target = tmp_path / "precious"
    target.mkdir(mode=0o700)
    (job / name).symlink_to(target)
    with pytest.raises(BadInput, match="must be folders"):
        workspace.prepare(job, work, NOBODY)
    assert list(target.iterdir()) == []
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert target.stat().st_uid == os.geteuid()


@pytest.mark.parametrize("name", ["work", "inbox", "logs"])
def test_a_file_in_the_place_of_a_folder_is_refused(job: Path, work: Path, name: str) -> None:
    (job / name).write_text("a file")
    with pytest.raises(BadInput, match="must be folders"):
        workspace.prepare(job, work, ME)


def test_what_turns_out_to_be_no_folder_when_it_is_out_of_reach_goes_back(
    job: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was a folder when it was looked at, and a link to another's when it was taken."""
    (job / "work").mkdir()
    (job / "work" / "file").touch()
    real = os.rename

    def exchanged(*names: object, **folders: int) -> None:
        monkeypatch.setattr(os, "rename", real)
        shutil.rmtree(job / "work")
        (job / "work").symlink_to("/var/run")
        real(*names, **folders)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", exchanged)
    with pytest.raises(BadInput, match="must be folders"):
        workspace.prepare(job, work, ME)
    assert not os.path.lexists(work)
    assert (job / "work").readlink() == Path("/var/run")


def test_a_job_whose_folder_is_a_link_is_refused(job: Path, work: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(job)
    with pytest.raises(BadInput):
        workspace.prepare(link, work, ME)
    with pytest.raises(OSError, match="link"):
        workspace.owner_of(link)


def test_the_owner_of_a_job_is_the_owner_of_its_folder(job: Path) -> None:
    assert workspace.owner_of(job) == ME
