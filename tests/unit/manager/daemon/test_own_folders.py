"""The folders in the home that are the manager's alone."""

import stat
from pathlib import Path

from manager.daemon import own_folders


def test_they_are_made_with_their_modes_whatever_the_umask_and_twice_is_once(tmp_path: Path) -> None:
    own_folders.secure(tmp_path)
    (tmp_path / "work" / "job~0123").mkdir()
    (tmp_path / "work").chmod(0o777)
    own_folders.secure(tmp_path)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in own_folders.OWN}
    assert modes == {"journal": 0o700, "gates": 0o700, "accounts": 0o700, "work": 0o711}
    assert (tmp_path / "work" / "job~0123").is_dir()


def test_a_home_that_is_reached_by_a_link_is_as_good(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to("home")
    own_folders.secure(tmp_path / "link")
    assert (tmp_path / "home" / "work").is_dir()
