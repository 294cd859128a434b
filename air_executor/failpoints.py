"""Named places where a test has this process end as a crash would end it: at once, with nothing cleared up.

`AIR_EXECUTOR_FAILPOINT=created-unrecorded` names the place, `created-unrecorded:3` its third passage. Where
the variable is not set, reaching a place does nothing.
"""

import os
import signal
from collections.abc import Callable
from enum import StrEnum

VARIABLE = "AIR_EXECUTOR_FAILPOINT"


class Failpoint(StrEnum):
    """Every place, in the order of a job's life."""

    JOB_FOUND = "job-found"  # nothing of it is written down
    JOURNAL_HALF_LINE = "journal-half-line"
    JOURNAL_UNSYNCED = "journal-unsynced"
    JOURNALED_CLAIMED = "journaled-claimed"  # the engine has not been asked for anything
    VIEW_UNSYNCED = "view-unsynced"  # in its temporary file
    VIEW_UNNAMED = "view-unnamed"  # synced, before the rename
    VIEW_RENAMED = "view-renamed"  # before the folder is synced
    NETWORK_CREATED = "network-created"  # its container does not run yet
    CREATED_UNRECORDED = "created-unrecorded"
    JOURNALED_CREATED = "journaled-created"  # before start; not with a gate
    WAITING_UNRECORDED = "waiting-unrecorded"  # at its gate
    JOURNALED_WAITING = "journaled-waiting"  # its gate is shut
    WARM_WAITING = "warm-waiting"  # nobody knows of it yet
    GATE_SHUT = "gate-shut"  # its turn has come
    GATE_OPENED = "gate-opened"  # the command is handed over; it begins
    VOIDED_UNRECORDED = "voided-unrecorded"  # a container that never began is gone
    STARTED_UNRECORDED = "started-unrecorded"
    JOURNALED_RUNNING = "journaled-running"
    OUTPUT_COPIED = "output-copied"  # some of it
    END_UNRECORDED = "end-unrecorded"  # its command has succeeded, says its gate
    EXIT_UNRECORDED = "exit-unrecorded"
    REQUEST_READ = "request-read"
    REQUEST_JOURNALED = "request-journaled"  # its file is still in the inbox
    SIGNAL_SENT = "signal-sent"  # a task was told to stop
    JOURNALED_RECORDED = "journaled-recorded"  # before removal
    REMOVED_UNRECORDED = "removed-unrecorded"
    JOURNALED_REMOVED = "journaled-removed"
    INBOX_CLOSED = "inbox-closed"  # the job is about to end
    JOURNALED_JOB_ENDED = "journaled-job-ended"
    VIEWS_COMPLETE = "views-complete"  # its journal is still there
    JOURNAL_COMPACTED = "journal-compacted"  # beside the one that it replaces
    RETRY_READ = "retry-read"
    RETRY_JOURNALED = "retry-journaled"  # its marker is still there
    INSPECTED = "inspected"  # after a restart, before anything follows from it


def _pass_by(point: Failpoint) -> None:
    """Nothing happens."""


def _armed(wanted: str) -> Callable[[Failpoint], None]:
    name, _, count = wanted.partition(":")
    target, left = Failpoint(name), int(count or 1)

    def end(point: Failpoint) -> None:
        nonlocal left
        if point is target:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    return end


reach: Callable[[Failpoint], None] = _armed(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else _pass_by
