"""The home folder whose manager is served: its identity, and what may be mounted of it."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from engine_proxy.refusal import Refused


class Home:
    """Its identity is read when it is needed first, since a manager makes it, and never again."""

    def __init__(self, path: Path, host_path: Callable[[], str]) -> None:
        """`path` is where it is seen from here; `host_path()` tells where the engine sees it."""
        self._path = path
        self._find_host_path = host_path
        self._id: str | None = None
        self._host_path: PurePosixPath | None = None

    @property
    def id(self) -> str:
        """Raises Refused as long as it has none."""
        if self._id is None:
            with suppress(OSError):
                self._id = (self._path / "home-id").read_text().strip() or None
        if self._id is None:
            raise Refused(f"{self._path} has no home-id yet: a manager has to start there first")
        return self._id

    def check(self, source: str) -> None:
        """See to it that the engine finds `source` in this home, and no link on the way. Raises Refused.

        The engine looks later, and follows links: who may write in the home can still be quicker.
        """
        place = PurePosixPath(source)
        if self._outside not in place.parents or ".." in place.parts:
            raise Refused(f"{source} can't be mounted: it does not lie in the home folder {self._outside}")
        if not _without_links(self._path, place.relative_to(self._outside)):
            raise Refused(f"{source} can't be mounted: it is not there, or a link leads to it")

    @property
    def _outside(self) -> PurePosixPath:
        if self._host_path is None:
            self._host_path = PurePosixPath(self._find_host_path())
        return self._host_path


def _without_links(root: Path, inside: PurePosixPath) -> bool:
    """Whether `root/inside` is there and is reached by way of folders alone."""
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        for name in inside.parent.parts:
            below = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
        mode = os.stat(inside.name, dir_fd=folder, follow_symlinks=False).st_mode
        return stat.S_ISDIR(mode) or stat.S_ISREG(mode)
    except OSError:
        return False
    finally:
        os.close(folder)
