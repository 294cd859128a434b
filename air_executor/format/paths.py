"""Paths in a container: which ones no Linux can have."""

import os

MAX_PATH = 4095
"""Bytes of a path (PATH_MAX, without the NUL at its end)."""
MAX_NAME = 255
"""Bytes of one name in it (NAME_MAX)."""
ABSOLUTE = "must be an absolute path, such as /work/repo; /work is the job's folder"


def check_path(path: str) -> str:
    """`path` itself. Raises ValueError where it is longer than any can be."""
    size = len(os.fsencode(path))
    if size > MAX_PATH:
        raise ValueError(f"has {size} bytes, and a path at most {MAX_PATH}")
    longest = max(len(name) for name in os.fsencode(path).split(b"/"))
    if longest > MAX_NAME:
        raise ValueError(f"has a name of {longest} bytes in it, and a name in a path has at most {MAX_NAME}")
    return path


def check_folder(path: str) -> str:
    """`path` itself, which a command is to begin in. Raises ValueError."""
    if not path.startswith("/"):
        raise ValueError(f"{ABSOLUTE}; no shell reads it" if path.startswith(("~", "$")) else ABSOLUTE)
    return check_path(path)
