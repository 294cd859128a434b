"""Whether there is room, by space and by files, and what is said where there is not."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from manager.daemon.disk import MIB, Disk, Floor, Free, shortage

HOME = Path("/home")
FLOOR = Floor(64, 1000)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the file system says; a test changes it."""
    told = SimpleNamespace(f_bavail=5000, f_frsize=MIB, f_files=1_000_000, f_favail=50_000)
    monkeypatch.setattr(os, "statvfs", lambda _: told)
    return told


def test_where_there_is_room_nothing_is_said(told: SimpleNamespace) -> None:
    assert shortage(HOME, FLOOR) is None


def test_too_little_space_is_told_with_its_setting(told: SimpleNamespace) -> None:
    told.f_bavail = 63
    assert "63 MiB of free space, the setting min_free_mb wants 64" in (shortage(HOME, FLOOR) or "")


def test_too_few_files_are_told_with_their_setting(told: SimpleNamespace) -> None:
    told.f_favail = 999
    assert "999 more files only, the setting min_free_inodes wants 1000" in (shortage(HOME, FLOOR) or "")


def test_a_file_system_without_a_fixed_number_of_files_is_never_short_of_them(told: SimpleNamespace) -> None:
    told.f_files = told.f_favail = 0
    assert shortage(HOME, FLOOR) is None
    assert Free.of(HOME).inodes is None


def test_who_has_filled_it_is_told_as_soon_as_that_is_known(told: SimpleNamespace) -> None:
    disk = Disk(HOME, FLOOR)
    told.f_bavail = 1
    disk.look()
    assert "most is used" not in (disk.shortage or "")
    disk.filled_by = "big (7 MiB in 2 files)"
    disk.look()
    assert (disk.shortage or "").endswith("; most is used by big (7 MiB in 2 files)")
    told.f_bavail = 5000
    disk.look()
    assert disk.shortage is None
