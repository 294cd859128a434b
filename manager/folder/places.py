"""What the watcher remembers of the folders that it has seen."""

import time
from dataclasses import dataclass, field


@dataclass
class Unready:
    """A folder that is not yet a job."""

    since: float = field(default_factory=time.monotonic)
    reported: bool = False
    stamp: object = None
    """Inodes, times and sizes of its files when they were last seen to change."""
    changed: float = 0.0
    """When that was, by the monotonic clock: the files' own times go wrong when somebody sets the clock."""

    def quiet_for(self, stamp: object) -> float:
        """Seconds since the files were last seen to change; `stamp` is how they are now."""
        if stamp != self.stamp:
            self.stamp, self.changed = stamp, time.monotonic()
        return time.monotonic() - self.changed


@dataclass
class Place:
    """A folder that has been told of, or that has ended: told from another one that takes its name later."""

    inode: int | None = None
    """None until it was seen."""
    removed: bool = False
    """Whether it went, although a folder of that name may be there again, and with the same inode."""

    def holds(self, inode: int) -> bool:
        """Whether the folder of that inode may be this one."""
        return not self.removed and self.inode in (inode, None)
