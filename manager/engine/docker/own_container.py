"""Which container this process runs in, if it runs in one."""

import os
import re
import socket
from pathlib import Path


def own_container_ids() -> list[str]:
    """Ids that the container this process runs in may have; none outside of containers.

    Docker mounts `/etc/hostname` from a folder named after the container, and names the host after it unless
    told otherwise.
    """
    mounts = Path("/proc/self/mountinfo").read_text()
    ids = re.findall(r"/containers/([0-9a-f]{64})/hostname /etc/hostname ", mounts)
    if Path("/.dockerenv").exists():
        ids.append(socket.gethostname())
    return ids


def leads_to(path: str) -> str:
    """Where a path of the engine's host leads, all links followed; itself where a container hides that."""
    return path if own_container_ids() else os.path.realpath(path)
