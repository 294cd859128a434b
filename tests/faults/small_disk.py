"""Small disks of a test's own, which can be filled up without anybody else noticing."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.waiting import until

MIB = 1 << 20


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
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        until(lambda: not subprocess.run(["umount", folder], capture_output=True, check=False).returncode, 60)


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
