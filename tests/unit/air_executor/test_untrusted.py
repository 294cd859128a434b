import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from air_executor.untrusted import NotRegular, TooLarge, opened, opened_file, whole


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"content")
    return tmp_path


def handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_folder_is_opened_step_by_step_and_is_the_one_that_has_that_path(folder: Path) -> None:
    with opened(folder, "a", "b") as handle:
        assert os.stat("file", dir_fd=handle).st_size == 7
    with opened(folder) as outer, opened("a", "b", folder=outer) as inner:
        assert os.stat("file", dir_fd=inner).st_size == 7


@pytest.mark.parametrize("part", ["a", "a/b"])
def test_no_link_is_followed_at_any_step(folder: Path, part: str) -> None:
    (folder / part).rename(folder / "moved")
    (folder / part).symlink_to(folder / "moved")
    before = handles()
    with pytest.raises(OSError), opened(folder, "a", "b"):
        pass
    assert handles() == before


def test_a_file_is_read_whole_up_to_its_limit(folder: Path) -> None:
    with opened_file(folder / "a" / "b" / "file") as file:
        assert whole(file, 7) == b"content"
    with opened(folder, "a", "b") as inner, opened_file("file", inner) as file:
        assert whole(file, 100) == b"content"


def test_a_file_that_is_too_large_is_refused_before_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> bytes:
        raise AssertionError("it is read")

    monkeypatch.setattr(os, "read", forbidden)
    with opened_file(folder / "a" / "b" / "file") as file, pytest.raises(TooLarge):
        whole(file, 6)


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: os.mknod(path, 0o20666, os.makedev(1, 5))]
)
def test_what_is_no_regular_file_is_refused_at_once(folder: Path, make: Callable[[Path], None]) -> None:
    try:
        make(folder / "other")
    except PermissionError:
        pytest.skip("only root can make a device")
    before = handles()
    with pytest.raises(NotRegular), opened_file(folder / "other"):
        pass
    with opened(folder) as inner, pytest.raises(NotRegular), opened_file("other", inner):
        pass
    assert handles() == before


def test_what_can_not_be_opened_is_an_error_of_the_system(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(OSError), opened_file(folder / "socket"):
            pass
    with pytest.raises(FileNotFoundError), opened_file(folder / "none"):
        pass


def test_a_link_is_followed_by_its_path_and_never_in_a_folder(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "a" / "b" / "file")
    with opened_file(folder / "link") as file:
        assert whole(file, 100) == b"content"
    with opened(folder) as inner, pytest.raises(OSError), opened_file("link", inner):
        pass
