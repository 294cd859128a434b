"""Scratch space on the disk, and caches."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from manager.gates import spaces
from manager.model.assignment import Assignment
from manager.model.home import Home
from manager.model.values import Owner
from tests.attempts.other_user import USER, does, needs_root
from tests.unit.manager.builders import container, granted, key, task

ME = Owner(os.geteuid() or 1000, os.getegid() or 1000)


@pytest.fixture(autouse=True)
def nothing_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "_LOOKED", {})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home("id", tmp_path)
    made.gates.mkdir()
    return made


def assignment(home: Home, owner: Owner = ME, size_mb: int = 1) -> Assignment:
    of = task("a", mounts=["pip"], scratch={"/m": 1, "/s": {"size_mb": 1, "on": "disk"}})
    declared = {"pip": {"cache": True, "size_mb": size_mb}}
    spec = container(of, key("a"), home=home, owner=owner, mounts=declared)
    grant = granted(of, owner=owner, mounts=declared)
    gate = home.gate(spec.name)
    gate.path.mkdir(exist_ok=True)
    return Assignment(key("a"), home.jobs / "job", home.work("w"), of, grant, spec, gate, None)


def test_what_is_granted_is_there_as_the_tasks_users(home: Home) -> None:
    made = assignment(home)
    spaces.prepare(made)
    spaces.prepare(made)
    assert [path.name for path in made.gate.path.iterdir()] == ["scratch-1"]
    for folder in (made.gate.scratch(1), home.cache("pip", ME.uid)):
        status = folder.stat()
        assert (status.st_uid, status.st_mode & 0o777) == (ME.uid, 0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives folders to two users")
def test_each_user_has_a_folder_of_the_cache(home: Home) -> None:
    for uid in (1000, 2000):
        spaces.prepare(assignment(home, Owner(uid, uid)))
    assert sorted(path.name for path in home.cache("pip", 1000).parent.iterdir()) == ["1000", "2000"]


def test_a_cache_keeps_what_is_in_it_until_it_is_too_large(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    spaces.prepare(assignment(home))
    (home.cache("pip", ME.uid) / "little").write_bytes(b"x")
    monkeypatch.setattr(spaces, "_LOOKED", {})
    spaces.prepare(assignment(home))
    assert (home.cache("pip", ME.uid) / "little").exists()
    (home.cache("pip", ME.uid) / "much").write_bytes(bytes(2 << 20))
    spaces.prepare(assignment(home))
    assert (home.cache("pip", ME.uid) / "much").exists(), "it was looked at a moment ago"
    monkeypatch.setattr(spaces, "_LOOKED", {})
    spaces.prepare(assignment(home))
    cache = home.cache("pip", ME.uid)
    assert list(cache.iterdir()) == []
    assert [path.name for path in cache.parent.iterdir()] == [str(ME.uid)], "what was aside is gone"


@pytest.mark.parametrize("mode", [0, 0o500, 0o777, 0o1700])
def test_a_cache_that_a_task_has_closed_is_open_to_the_next_one(home: Home, mode: int) -> None:
    cache = home.cache("pip", ME.uid)
    spaces.prepare(assignment(home))
    (cache / "kept").touch()
    cache.chmod(mode)
    spaces.prepare(assignment(home))
    status = cache.stat()
    assert (status.st_uid, status.st_mode & 0o7777) == (ME.uid, 0o700)
    assert (cache / "kept").exists()


@needs_root
def test_a_cache_that_was_closed_is_opened_by_a_manager_who_is_not_root() -> None:
    user = Owner(USER, USER)

    def spoils_and_prepares() -> None:
        spaces.prepare(asked)
        cache = home.cache("pip", user.uid)
        cache.chmod(0)
        spaces.prepare(asked)
        assert cache.stat().st_mode & 0o777 == 0o700

    with TemporaryDirectory() as path:
        home = Home("id", Path(path))
        home.gates.mkdir()
        asked = assignment(home, user)
        for folder in (home.path, home.gates, asked.gate.path):
            os.chown(folder, *user)
        does(spoils_and_prepares)


def test_a_link_in_the_place_of_a_cache_is_not_followed(home: Home, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir(0o755)
    home.cache("pip", 0).parent.mkdir(parents=True)
    home.cache("pip", ME.uid).symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        spaces.prepare(assignment(home))
    assert (tmp_path / "precious").stat().st_mode & 0o777 == 0o755
