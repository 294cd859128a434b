import os
from pathlib import Path

import pytest

from air_executor.untrusted import opened
from manager.folder import removal
from manager.folder.removal import delete, remove


def tree(top: Path) -> Path:
    """Folders and files on several levels, with the names that are given to what is moved among them."""
    for folder in ("a/b/c", "a/.removed-0/x", ".removed-0/y", ".removed-1"):
        (top / folder).mkdir(parents=True)
    for file in ("a/b/c/file", "a/.removed-1", ".removed-2", "a/b/link"):
        (top / file).touch()
    return top


def test_a_whole_tree_goes(tmp_path: Path) -> None:
    delete(tree(tmp_path / "top"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo, lambda path: path.symlink_to("/")])
def test_what_is_no_folder_goes_as_well(tmp_path: Path, make: object) -> None:
    make(tmp_path / "it")  # type: ignore[operator]
    with opened(tmp_path) as folder:
        remove("it", folder)
        remove("it", folder)  # and what is not there, needs no removal
    assert list(tmp_path.iterdir()) == []


def test_what_can_not_be_deleted_keeps_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = tree(tmp_path / "top")
    unlink = os.unlink

    def refusing(name: str, *, dir_fd: int) -> None:
        if name == "file":
            raise PermissionError(1, "Operation not permitted", name)
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refusing)
    with opened(tmp_path) as folder, pytest.raises(PermissionError):
        remove("top", folder)
    delete(top)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["file"]
    monkeypatch.undo()
    delete(top)
    assert not top.exists()


def test_whoever_goes_on_adding_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = tmp_path / "top"
    top.mkdir()
    names = removal._names
    monkeypatch.setattr(removal, "_names", lambda folder: (top / "more").touch() or names(folder))
    with opened(tmp_path) as folder, pytest.raises(OSError, match="not empty"):
        remove("top", folder)


def test_nothing_is_left_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    delete(tree(tmp_path / "top"))
    delete(tmp_path / "nowhere" / "it")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
