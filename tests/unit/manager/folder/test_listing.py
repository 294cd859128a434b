"""The jobs folder is listed again only where it may have changed."""

import os
from pathlib import Path

import pytest

from manager.folder import listing
from manager.folder.listing import GOOD_FOR, SETTLED, Lister


class Clock:
    """The monotonic clock, put on by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(listing, "time", clock)
    return clock


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    (tmp_path / "one").mkdir()
    return tmp_path


def settled(jobs: Path, clock: Clock) -> Lister:
    """It has listed the folder, and once more when that had stood still for a while."""
    lister = Lister(jobs)
    assert lister.changed() is not None
    clock.now += SETTLED
    assert lister.changed() is not None
    return lister


def names(lister: Lister) -> set[str] | None:
    found = lister.changed()
    return None if found is None else set(found.folders)


def test_folders_that_may_be_jobs_are_listed_with_their_inodes_and_nothing_else(jobs: Path) -> None:
    (jobs / ".hidden").mkdir()
    (jobs / "file").touch()
    (jobs / "link").symlink_to(jobs / "one")
    (jobs / ".wake-one").touch()
    found = Lister(jobs).changed()
    assert found is not None
    assert found.folders == {"one": (jobs / "one").stat().st_ino}
    assert found.woken == ["one"]


def test_what_has_stood_still_is_not_listed_again(jobs: Path, clock: Clock) -> None:
    lister = settled(jobs, clock)
    clock.now += GOOD_FOR - 1
    assert names(lister) is None


def test_what_has_just_changed_is_listed_again_for_its_time_may_be_that_of_two_changes(
    jobs: Path, clock: Clock
) -> None:
    lister = settled(jobs, clock)
    (jobs / "two").mkdir()
    before = jobs.stat()
    assert names(lister) == {"one", "two"}
    (jobs / "three").mkdir()
    os.utime(jobs, ns=(before.st_atime_ns, before.st_mtime_ns))  # within one tick of its clock
    clock.now += SETTLED - 0.1
    assert names(lister) == {"one", "two", "three"}


def test_a_folder_that_comes_or_goes_or_is_replaced_is_seen(jobs: Path, clock: Clock) -> None:
    lister = settled(jobs, clock)
    (jobs / "two").mkdir()
    assert names(lister) == {"one", "two"}
    clock.now += SETTLED
    assert names(lister) == {"one", "two"}
    (jobs / "one").rmdir()
    assert names(lister) == {"two"}
    clock.now += SETTLED
    assert names(lister) == {"two"}
    (jobs / ".new").mkdir()
    inode = (jobs / ".new").stat().st_ino
    (jobs / ".new").rename(jobs / "two")
    found = lister.changed()
    assert found is not None
    assert found.folders == {"two": inode}


def test_now_and_then_it_is_listed_in_any_case(jobs: Path, clock: Clock) -> None:
    lister = settled(jobs, clock)
    clock.now += GOOD_FOR
    assert names(lister) == {"one"}
    assert names(lister) is None


def test_who_doubts_gets_a_listing(jobs: Path, clock: Clock) -> None:
    lister = settled(jobs, clock)
    lister.doubt()
    assert names(lister) == {"one"}


def test_a_folder_that_is_not_there_is_empty_and_is_seen_as_soon_as_it_is(
    tmp_path: Path,
) -> None:
    lister = Lister(tmp_path / "jobs")
    assert names(lister) == set()
    (tmp_path / "jobs" / "one").mkdir(parents=True)
    assert names(lister) == {"one"}
