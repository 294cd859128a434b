"""Ask for a further task in a job that has not ended, from outside of it: a request is put into its inbox.

The manager reads it there (`manager/folder/inbox.py`). The inbox is a task's to change, so nothing in it is
trusted.
"""

import contextlib
import errno
import json
import os
import secrets
import time

from air_executor.errors import BadInput, JobEnded
from air_executor.files import FILE_MODE
from air_executor.format import layout
from air_executor.format.limits import MAX_REQUEST_BYTES
from air_executor.format.models import TaskSpec
from air_executor.store import JobFolder
from air_executor.untrusted import opened

PATIENCE = 5.0
"""Seconds that an inbox may be away while the manager decides whether its job has ended."""


def drop_request(job: JobFolder, task: TaskSpec) -> str:
    """Put a request for a further task into the job's inbox; returns the request's id.

    Raises JobEnded when the job takes no more requests.
    """
    request = f"{task.id[:180]}~{secrets.token_hex(6)}.json"
    body = json.dumps(task.model_dump(mode="json", exclude_defaults=True)).encode()
    if len(body) > MAX_REQUEST_BYTES:
        raise BadInput(
            f"takes {len(body)} bytes to ask for, and a request has at most {MAX_REQUEST_BYTES}; put what is "
            "large into a file in the job's work folder",
            where=f"task {task.id}",
        )
    deadline = time.monotonic() + PATIENCE
    while True:
        _make_inbox(job)
        try:
            _put(job, request, body)
            return request
        except FileNotFoundError:
            # The manager takes `new` away before it ends a job, so that no request is lost in between;
            # when it finds one all the same, the job goes on and `new` comes back.
            if time.monotonic() > deadline:
                raise BadInput("has no folders tmp and new", where=job.inbox) from None
            time.sleep(0.02)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise BadInput("is no inbox: a task put something else there", where=job.inbox) from None
            raise


def _make_inbox(job: JobFolder) -> None:
    """A job that no manager has taken yet has no inbox. Raises JobEnded."""
    state = job.read_job().state
    if state.ended:
        raise JobEnded(job.name, state)
    with contextlib.suppress(FileExistsError), job.opened() as folder:
        os.mkdir(layout.INBOX, dir_fd=folder)
        with opened(layout.INBOX, folder=folder) as inbox:
            # Only by whoever made the inbox: a `new` that the manager has taken away must stay away.
            os.mkdir(layout.TMP, dir_fd=inbox)
            os.mkdir(layout.NEW, dir_fd=inbox)


def _put(job: JobFolder, name: str, body: bytes) -> None:
    """Write a request whole: into `tmp`, and from there by rename into `new`.

    Raises FileNotFoundError when the inbox was closed before the request was certainly in it.
    """
    with (
        job.opened(layout.INBOX) as inbox,
        opened(layout.TMP, folder=inbox) as tmp,
        opened(layout.NEW, folder=inbox) as new,
    ):
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE, dir_fd=tmp)
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        os.rename(name, name, src_dir_fd=tmp, dst_dir_fd=new)
        # The handle follows a folder that is renamed, so this may have gone into an inbox just closed, and
        # read before. Asking again is harmless: the same request twice is one.
        if not os.path.samestat(os.fstat(new), os.stat(layout.NEW, dir_fd=inbox, follow_symlinks=False)):
            raise FileNotFoundError
