"""A task leaves folders in each other, 40,000 of them, so that its job can't start over: they are deleted one
level at a time, with two handles open, whatever the depth."""

import os
from pathlib import Path

from air_executor.untrusted import FOLDER
from manager.folder import workspace


def dig(folder: Path, depth: int) -> None:
    folder.mkdir()
    handle = os.open(folder, FOLDER)
    for _ in range(depth):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", FOLDER, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)


def test_a_job_can_start_over_however_deep_it_dug(tmp_path: Path) -> None:
    job, works = tmp_path / "job", tmp_path / "works"
    for folder in (job, works):
        folder.mkdir()
    dig(job / "work", 3_000)
    workspace.clear(job, works)
    assert list(job.iterdir()) == []
    (gone,) = works.iterdir()
    workspace.delete(gone)
    assert list(works.iterdir()) == []


def test_links_are_deleted_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "file").touch()
    job = tmp_path / "job"
    (job / "work" / "deep").mkdir(parents=True)
    (job / "work" / "deep" / "link").symlink_to(tmp_path / "target")
    (job / "logs").symlink_to(tmp_path / "target")
    (tmp_path / "works").mkdir()
    workspace.clear(job, tmp_path / "works")
    assert list(job.iterdir()) == []
    for gone in (tmp_path / "works").iterdir():
        workspace.delete(gone)
    assert (tmp_path / "target" / "file").exists()


def test_nothing_is_deleted_through_a_link(tmp_path: Path) -> None:
    """ATTEMPTS 3: a pool that is a link."""
    (tmp_path / "target" / "backup").mkdir(parents=True)
    (tmp_path / ".slots").symlink_to(tmp_path / "target")
    workspace.delete(tmp_path / ".slots" / "backup")
    assert (tmp_path / "target" / "backup").exists()
