"""Files and folders that strangers wrote: no link is followed, nothing blocks, what is read is bounded."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened(path: Path, *below: str) -> Iterator[int]:
    """A handle of the folder `below` the folder `path`. Raises OSError where a part is not one."""
    handle = os.open(path, FOLDER)
    try:
        for name in below:
            inner = os.open(name, FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)
