"""Errors of the machine, not of a job: the same may succeed later."""

import errno

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
TRANSIENT = (*DISK_FULL, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
