"""Small disks of a test's own, which can be filled up and can fail without anybody else noticing."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.waiting import until

MIB = 1 << 20


def run(*words: str | Path) -> str:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True).stdout


def need_root() -> None:
    """Skips where nothing can be mounted; in CI that is a failure."""
    if os.geteuid():
        reason = "only root can mount a disk of the test's own"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@contextmanager
def memory_disk(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory, mounted at `folder`."""
    need_root()
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder)
    with _mounted(folder):
        yield folder


@contextmanager
def failing_disk(folder: Path) -> Iterator[tuple[Path, "Filler"]]:
    """A real file system whose writes fail with an I/O error for as long as it is filled from below.

    It is a loop device on a sparse file in memory: where that finds no room for a further block, the kernel
    reports an I/O error. What exists already is not touched by it: its own tables have their blocks.
    """
    folder.mkdir()
    with memory_disk(folder / "below", "size=24m") as below:
        image = below / "image"
        with image.open("wb") as file:
            file.truncate(100 * MIB)
        run("mkfs.ext2", "-q", "-b", "4096", "-N", "2000", "-E", "nodiscard", image)
        with image.open("r+b") as file:  # what mkfs left out because it is zero
            head = file.read(2 * MIB)
            file.seek(0)
            file.write(head)
        disk = folder / "disk"
        disk.mkdir()
        run("mount", "-o", "loop", image, disk)
        with _mounted(disk):
            (disk / "ballast").write_bytes(b"x" * 2 * MIB)  # on the blocks that can be written always
            os.sync()
            disk.chmod(0o1777)
            yield disk, Filler(below)


@contextmanager
def _mounted(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        until(
            lambda: subprocess.run(["umount", folder], capture_output=True, check=False).returncode == 0, 20
        )


class Filler:
    """Takes up what is free on a disk, and gives it back."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self._folder = disk / "filler"

    def leave_space(self, size: int) -> None:
        """Leave so many bytes free."""
        self._folder.mkdir(exist_ok=True)
        with (self._folder / "data").open("ab", buffering=0) as file, suppress(OSError):
            while (more := self._free() - size) > 0:
                file.write(bytes(min(more, MIB)))

    def leave_files(self, count: int) -> None:
        """Leave room for so many more files."""
        self._folder.mkdir(exist_ok=True)
        number = len(list(self._folder.iterdir()))
        with suppress(OSError):
            while os.statvfs(self._disk).f_favail > count:
                number += 1
                (self._folder / str(number)).touch()

    def give_back(self) -> None:
        """Everything is as it was."""
        for file in self._folder.iterdir():
            file.unlink()
        self._folder.rmdir()

    def _free(self) -> int:
        told = os.statvfs(self._disk)
        return told.f_bavail * told.f_frsize
