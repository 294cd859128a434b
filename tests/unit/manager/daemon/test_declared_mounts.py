"""Whether declared folders are what they look like."""

import os
from collections.abc import Callable
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


def check(path: Path, home: Path) -> str | None:
    return declared_mounts.check({"d": DeclaredMount(path=str(path))}, home)["d"].path


def test_a_folder_and_a_link_to_one_are_fine_and_so_is_one_that_is_not_there(
    tmp_path: Path, home: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    reached = {name: check(tmp_path / name, home) for name in ("data", "link", "not-there")}
    assert reached == {
        "data": f"{tmp_path}/data",
        "link": f"{tmp_path}/data",
        "not-there": f"{tmp_path}/not-there",
    }


def test_a_volume_and_a_cache_are_as_they_were(home: Path) -> None:
    mounts = {"v": DeclaredMount(volume="v"), "c": DeclaredMount(cache=True)}
    assert declared_mounts.check(mounts, home) == mounts


def two(outer: Path, inner: Path, home: Path) -> None:
    """The outer one may be written to, and the other one only be read."""
    declared = {
        "outer": DeclaredMount(path=str(outer), read_only=False),
        "inner": DeclaredMount(path=str(inner)),
    }
    declared_mounts.check(declared, home)


def direct(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "out", tmp_path / "out" / "deep" / "inner"


def through_a_link_outside(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "link").symlink_to(tmp_path / "out" / "deep")
    return tmp_path / "out", tmp_path / "link" / "inner"


def by_a_link_within(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "out" / "link").symlink_to(tmp_path / "data")
    return tmp_path / "out", tmp_path / "out" / "link"


def by_a_link_to_a_link_within(tmp_path: Path) -> tuple[Path, Path]:
    by_a_link_within(tmp_path)
    (tmp_path / "link").symlink_to("out/../out/link")
    return tmp_path / "out", tmp_path / "link"


def outer_is_a_link(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "link").symlink_to(tmp_path / "out")
    return tmp_path / "link", tmp_path / "out" / "deep"


WAYS = [direct, through_a_link_outside, by_a_link_within, by_a_link_to_a_link_within, outer_is_a_link]


@pytest.mark.parametrize("lay", WAYS)
@pytest.mark.parametrize("seen", [True, False], ids=["on-the-host", "in-a-container"])
def test_a_folder_in_one_that_tasks_may_write_to_is_refused(
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    lay: Callable[[Path], tuple[Path, Path]],
    seen: bool,
) -> None:
    if not seen:
        monkeypatch.setattr(declared_mounts, "IN_A_CONTAINER", Path("/"))
    (tmp_path / "out" / "deep" / "inner").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    outer, inner = lay(tmp_path)
    with pytest.raises(
        BadInput, match=r"^mounts\.inner\.path: .* tasks may write.*`mounts\.outer\.read_only"
    ):
        two(outer, inner, home)


def test_folders_side_by_side_and_the_same_one_twice_are_fine(tmp_path: Path, home: Path) -> None:
    two(tmp_path / "out", tmp_path / "out", home)
    two(tmp_path / "out", tmp_path / "outside", home)
    declared = {
        "outer": DeclaredMount(path=str(tmp_path / "data")),
        "inner": DeclaredMount(path=str(tmp_path / "data" / "out"), read_only=False),
    }
    declared_mounts.check(declared, home)


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
@pytest.mark.parametrize("name", ["up/data", "up/gone", "link"])
def test_a_parent_that_others_may_write_to_is_refused(
    tmp_path: Path, home: Path, mode: int, name: str
) -> None:
    (tmp_path / "up" / "data").mkdir(parents=True)
    (tmp_path / "up" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to("up/link")
    (tmp_path / "up").chmod(mode)
    with pytest.raises(
        BadInput, match=rf"^mounts\.d\.path: .*\(mode {mode:04o}\).*`chmod go-w {tmp_path}/up`"
    ):
        check(tmp_path / name, home)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives folders away")
def test_a_parent_of_somebody_else_is_refused_and_the_folder_itself_may_be_anybodys(
    tmp_path: Path, home: Path
) -> None:
    data = tmp_path / "up" / "data"
    data.mkdir(parents=True)
    os.chown(data, 1000, 1000)
    data.chmod(0o777)
    check(data, home)
    os.chown(tmp_path / "up", 1000, 0)
    with pytest.raises(BadInput, match=rf"up on its way belongs to user 1000, .*`chown root {tmp_path}/up`"):
        check(data, home)
    os.chown(home, 1000, 0)
    check(data, home)  # whoever owns the home says what is declared


@pytest.mark.skipif(os.geteuid() != 0, reason="gives folders away")
def test_in_a_folder_like_tmp_what_is_declared_must_be_there_and_be_roots_or_the_managers(
    tmp_path: Path, home: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    data = tmp_path / "tmp" / "data"
    with pytest.raises(BadInput, match="is not there, and anybody may make it"):
        check(data, home)
    data.mkdir()
    check(data, home)
    os.chown(data, 1000, 1000)
    with pytest.raises(BadInput, match=rf"{data} belongs to user 1000, .*`chown root {data}`"):
        check(data, home)


def test_in_a_container_what_is_declared_stays_as_it_was_written(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declared_mounts, "IN_A_CONTAINER", Path("/"))
    (tmp_path / "up").mkdir()
    (tmp_path / "up").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "up")
    assert check(tmp_path / "link", home) == f"{tmp_path}/link"
    assert check(tmp_path / "up" / "data", home) == f"{tmp_path}/up/data"


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


def test_links_that_become_a_circle_meanwhile_end(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    monkeypatch.setattr(Path, "resolve", lambda self: self)
    two(tmp_path / "out", tmp_path / "loop", home)


def test_in_a_container_nobody_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declared_mounts, "IN_A_CONTAINER", Path("/"))
    assert declared_mounts.missing({"d": DeclaredMount(path="/not/there")}) == []


def test_what_only_the_engine_sees_is_left_to_it(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below a folder that a manager may not look into that is not root."""
    hidden = tmp_path / "hidden" / "data"
    look = Path.stat

    def stat(path: Path, **how: bool) -> os.stat_result:
        if path == hidden:
            raise PermissionError(13, "Permission denied", str(path))
        return look(path, **how)

    monkeypatch.setattr(Path, "stat", stat)
    assert check(hidden, home) == str(hidden)
    assert declared_mounts.missing({"d": DeclaredMount(path=str(hidden))}) == []
