"""Whose the folders of the home are, before manager and Airflow start."""

import os
import stat
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def prepare(home: Path) -> None:
    """As Compose does it, but that all folders are this process's user's."""
    settings = {"AIR_EXECUTOR_HOME": str(home), "AIR_EXECUTOR_GID": str(os.getegid() or 50000)}
    script = REPOSITORY / "compose" / "manager" / "prepare-home"
    subprocess.run([script], env=os.environ | settings | {"AIR_EXECUTOR_UID": ""}, check=True)


def modes(home: Path) -> dict[str, str]:
    folders = [home, *sorted(home.iterdir())]
    return {each.name: f"{stat.S_IMODE(each.stat().st_mode):o}" for each in folders}


WANTED = {
    "home": "2750",
    "airflow": "2700",
    "accounts": "2700",
    "gates": "2700",
    "jobs": "3770",
    "journal": "2700",
    "work": "2711",
}


def test_nobody_else_gets_past_the_home_and_job_writers_rename_only_their_own(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(0o777)
    home.chmod(0o777)
    prepare(home)
    assert modes(home) == WANTED
    prepare(home)
    assert modes(home) == WANTED


def test_airflow_is_never_root_and_the_manager_is_who_has_the_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    prepare(home)
    airflow = (home / "airflow").stat()
    assert airflow.st_uid == (os.geteuid() or 50000)
    assert (home / "jobs").stat().st_uid == os.geteuid()
