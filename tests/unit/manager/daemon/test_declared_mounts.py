"""Whether declared folders are what they look like."""

from pathlib import Path

import pytest

from air_executor.errors import BadInput
from air_executor.format.mounts import DeclaredMount
from manager.daemon import declared_mounts


@pytest.fixture(autouse=True)
def on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declared_mounts, "IN_A_CONTAINER", Path("/nowhere"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


def check(path: Path, home: Path) -> None:
    declared_mounts.check({"d": DeclaredMount(path=str(path))}, home)


def test_a_folder_and_a_link_to_one_are_fine_and_so_is_one_that_is_not_there(
    tmp_path: Path, home: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for name in ("data", "link", "not-there"):
        check(tmp_path / name, home)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/etc", "leads to /etc, which can't be handed out"),
        ("/", "leads to /, which"),
        ("/proc/1", "leads to /proc/1, which"),
        ("home", "manager's own home"),
        ("home/jobs", "manager's own home"),
        ("file", "it is no folder"),
    ],
)
def test_a_link_that_leads_where_nothing_may_be_handed_out_is_refused(
    tmp_path: Path, home: Path, target: str, words: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(BadInput, match=rf"^mounts.d.path: .*{words}"):
        check(tmp_path / "link", home)


def test_what_is_above_the_home_is_refused(tmp_path: Path, home: Path) -> None:
    with pytest.raises(BadInput, match="or in or above it"):
        check(tmp_path, home)


def test_a_link_without_end_is_refused(tmp_path: Path, home: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(BadInput, match="lead nowhere"):
        check(tmp_path / "loop", home)


def test_in_a_container_nobody_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declared_mounts, "IN_A_CONTAINER", Path("/"))
    assert declared_mounts.missing({"d": DeclaredMount(path="/not/there")}) == []
