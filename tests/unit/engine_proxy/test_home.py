"""What may be mounted, and whose home it is."""

import os
from pathlib import Path

import pytest

from engine_proxy.home import Home
from engine_proxy.refusal import Refused


def outside() -> str:
    return "/srv/air"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "work" / "uid").mkdir(parents=True)
    (tmp_path / "gate").touch()
    (tmp_path / "link").symlink_to("work")
    os.mkfifo(tmp_path / "fifo")
    return Home(tmp_path, outside)


@pytest.mark.parametrize("source", ["/srv/air/work/uid", "/srv/air/work", "/srv/air/gate"])
def test_folders_and_files_of_the_home_may_be_mounted(home: Home, source: str) -> None:
    home.check(source)


@pytest.mark.parametrize(
    "source",
    [
        "/",
        "/var/run/docker.sock",
        "/srv/air",
        "/srv/air-other/work",
        "/srv/air/../etc",
        "/srv/air/work/../../../etc",
        "/srv/air/link",
        "/srv/air/link/uid",
        "/srv/air/fifo",
        "/srv/air/missing",
        "work",
        "",
    ],
)
def test_nothing_else_may(home: Home, source: str) -> None:
    with pytest.raises(Refused, match="can't be mounted"):
        home.check(source)


def test_the_identity_is_kept_whatever_is_written_later(home: Home, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no home-id yet"):
        _ = home.id
    (tmp_path / "home-id").write_text("one\n")
    assert home.id == "one"
    (tmp_path / "home-id").write_text("two\n")
    assert home.id == "one"
