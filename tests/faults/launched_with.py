"""Start the manager with something about the machine changed: `python -m tests.faults.launched_with ...`.

`clock FILE`: its wall clock is wrong by the number of seconds that FILE holds, at any moment.
`no-file-events`: the operating system never tells that a file has changed.
`failing-disk FILE`: for as long as FILE is there, the disk does not take what is to be synced.
"""

import errno
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path


def shift_clock(offset: Path) -> None:
    """Before any module of the manager is imported, so that each takes the changed one."""
    from air_executor import clock

    real_time = time.time

    def seconds() -> float:
        return float(offset.read_text())

    def utc_now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds())

    clock.utc_now = utc_now
    time.time = lambda: real_time() + seconds()


def silence_file_events() -> None:
    """Who waits for them does so as long, and nothing is ever told."""
    from manager.folder.file_events import FileEvents

    setattr(FileEvents, "watch", lambda *_: set())  # noqa: B010


def fail_to_sync(switch: Path) -> None:
    """As a disk does that goes bad: writes reach the cache, and the sync tells that they got no further."""
    real_sync = os.fsync

    def sync(file: int) -> None:
        if switch.exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real_sync(file)

    vars(os)["fsync"] = sync


def main() -> int:
    match sys.argv[1:]:
        case ["clock", file]:
            shift_clock(Path(file))
        case ["no-file-events"]:
            silence_file_events()
        case ["failing-disk", file]:
            fail_to_sync(Path(file))
        case other:
            raise SystemExit(f"not known: {other}")
    from manager import app

    return app.main()


if __name__ == "__main__":
    sys.exit(main())
