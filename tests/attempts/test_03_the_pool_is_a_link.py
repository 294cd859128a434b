"""A job writer puts a link where the manager keeps the folders of warm containers, and has it restarted.

What stops it, by construction: there is no such folder in reach of writers any more. Where older managers
had one, what stands there now is deleted without following it; and the manager's own folders are refused
where they are links, or somebody else's.
"""

import os
from pathlib import Path

import pytest

from manager.daemon import own_folders
from manager.gates import cleanup
from manager.model.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home("id", tmp_path / "home")
    made.jobs.mkdir(parents=True)
    own_folders.secure(made.path)
    return made


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    folder = tmp_path / "precious"
    (folder / "backup" / "deep").mkdir(parents=True)
    return folder


def untouched(precious: Path) -> bool:
    return (precious / "backup" / "deep").is_dir()


@pytest.mark.parametrize("name", [".slots", ".warm", ".airx-probe-0123"])
def test_a_link_in_the_jobs_folder_is_not_followed(home: Home, precious: Path, name: str) -> None:
    (home.jobs / name).symlink_to(precious)
    cleanup.clear(home, [])
    assert untouched(precious)


@pytest.mark.parametrize("name", [".slots", ".warm"])
def test_a_link_to_all_jobs_deletes_none(home: Home, name: str) -> None:
    (home.jobs / "job").mkdir()
    (home.jobs / name).symlink_to("..")
    cleanup.clear(home, [])
    assert (home.jobs / "job").is_dir()


@pytest.mark.parametrize("name", ["work", "gates", "journal"])
def test_an_own_folder_that_is_a_link_is_refused(home: Home, precious: Path, name: str) -> None:
    (home.path / name).rmdir()
    (home.path / name).symlink_to(precious)
    with pytest.raises(own_folders.NotOwn, match="is no folder, or a link"):
        own_folders.secure(home.path)
    assert untouched(precious)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_an_own_folder_that_is_somebody_elses_is_refused(home: Home) -> None:
    os.chown(home.works, 12345, 12345)
    with pytest.raises(own_folders.NotOwn, match="belongs to user 12345"):
        own_folders.secure(home.path)


def test_a_home_that_others_could_write_to_is_closed_to_them(home: Home) -> None:
    home.path.chmod(0o777)
    own_folders.secure(home.path)
    assert home.path.stat().st_mode & 0o022 == 0
