"""Who may read what the manager tells outside of the jobs' folders: its log, and its words about itself."""

import os
from pathlib import Path

from air_executor.files import Readers


def readers_of(home: Path, group: int | None) -> Readers:
    """This process, and the `group` that the operator has chosen; by default that of the jobs folder.

    Whoever makes jobs is in that group, as Airflow is. Asked anew each time: set-up may change it meanwhile.
    """
    if group is None:
        for folder in (home / "jobs", home):
            try:
                group = folder.stat().st_gid
                break
            except OSError:
                continue
    return Readers(os.geteuid(), os.getegid() if group is None else group)
