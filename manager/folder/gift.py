"""Gives what root's job has brought to the user of its tasks, who could only read it else.

Nothing of anybody else's is given away by it, nor what somebody else may have moved there: only files and
folders of root's, none with a second name, in folders that are root's and that nobody else may write in.
What is in a folder is given before the folder: so that holds until there is nothing left in it to give.
"""

import os
import stat
from itertools import islice

from air_executor.format.inputs import MAX_ENTRIES
from manager.model.values import Owner

OF_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def give(folder: int, name: str, user: Owner) -> None:
    """All that is in the folder of that name, which no task has had yet; as much as a job may bring.

    Who is ended in between may do it again. Raises OSError.
    """
    left = MAX_ENTRIES
    for _, folders, files, place in os.fwalk(name, topdown=False, dir_fd=folder):
        if not _is_roots_alone(os.fstat(place)):
            continue
        for each in islice((*folders, *files), left):
            if _may_be_given(os.stat(each, dir_fd=place, follow_symlinks=False)):
                os.chown(each, user.uid, user.gid, dir_fd=place, follow_symlinks=False)
            left -= 1
        if not left:
            return


def _is_roots_alone(status: os.stat_result) -> bool:
    return status.st_uid == 0 and not status.st_mode & OF_OTHERS


def _may_be_given(status: os.stat_result) -> bool:
    whole = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    return status.st_uid == 0 and (whole or stat.S_ISDIR(status.st_mode))
