"""Which home folder this is."""

import shutil
from pathlib import Path

import pytest

from manager.daemon.identity import identify, own_id


def test_an_identity_is_made_once(tmp_path: Path) -> None:
    assert own_id(tmp_path) is None
    made = identify(tmp_path)
    assert made == identify(tmp_path) == own_id(tmp_path)


def test_reading_it_makes_nothing(tmp_path: Path) -> None:
    assert own_id(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_moved_keeps_its_identity(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    made = identify(home)
    assert identify(home.rename(tmp_path / "moved")) == made


def test_a_folder_whose_inode_changes_in_its_place_keeps_its_identity(tmp_path: Path) -> None:
    made = identify(tmp_path)
    (tmp_path / "home-inode").write_text(f"1 {tmp_path}\n")
    assert identify(tmp_path) == made


def test_a_copy_gets_an_identity_of_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home, copy = tmp_path / "home", tmp_path / "copy"
    home.mkdir()
    made = identify(home)
    shutil.copytree(home, copy)
    assert own_id(copy) is None
    assert identify(copy) not in (made, None)
    assert identify(home) == made
    assert "is a copy of another home folder" in caplog.text


def test_a_folder_of_an_earlier_version_keeps_its_identity(tmp_path: Path) -> None:
    (tmp_path / "home-id").write_text("0123456789abcdef\n")
    assert identify(tmp_path) == "0123456789abcdef"
