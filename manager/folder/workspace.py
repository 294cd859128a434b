"""Makes, gives away and deletes what belongs to a job: its work folder, its inbox, its logs.

The work folder is what containers mount. It lies in the home's own `work`, where nobody who writes jobs can
exchange it between the moment at which it is looked at and that at which the engine mounts it; the job's
folder has a link to it, for people. Everything below the job's folder is opened through folder handles, and
no link is followed.
"""

import errno
import logging
import os
import secrets
import stat
import threading
from collections.abc import Collection, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from weakref import WeakValueDictionary

from air_executor.errors import BadInput
from air_executor.files import make_folder
from air_executor.format import layout
from air_executor.format.inputs import Inputs
from air_executor.untrusted import FOLDER, is_folder, opened
from manager.folder import acl, gift, removal, sharing
from manager.folder.pace import USUAL, Pace
from manager.folder.trouble import TRANSIENT
from manager.model.values import Owner

log = logging.getLogger(__name__)

PLACE = "../../work"
"""Where work folders are, seen from a job's folder."""

_LOCKS: WeakValueDictionary[Path, threading.Lock] = WeakValueDictionary()
"""Containers of one job are made at the same time, and wait here for each other; no other job waits for them,
for what is in a work folder may take a while to be shared."""
_LOCKS_GUARD = threading.Lock()


def _lock_of(work: Path) -> threading.Lock:
    with _LOCKS_GUARD:
        return _LOCKS.setdefault(work, threading.Lock())


def prepare(
    job: Path,
    work: Path,
    user: Owner,
    users: Collection[int] = (),
    inputs: Inputs | None = None,
    pace: Pace = USUAL,
) -> None:
    """Make the job's folders, and have the task's user write in its work folder, and all other `users` that
    tasks of the job have; also in the `inputs` of a job of root's.

    A `work` that the job brought becomes its work folder, unless it is empty. Raises BadInput when something
    else stands in the place of a folder, or can't be given to the users; OSError for a TRANSIENT error;
    whatever ends the `pace` at which what is in there is shared.
    """
    try:
        with _lock_of(work), opened(job) as folder:
            _make(folder, layout.LOGS)
            _make_inbox(folder)
            _pass_over_empty(folder)
            make_work(work, user, users, brought=folder, inputs=inputs, pace=pace)
            _show(folder, work)
    except BadInput as error:
        raise error.at(job / layout.TASKS) from None
    except OSError as error:
        if error.errno in TRANSIENT:
            raise
        if error.errno == errno.EXDEV:
            raise BadInput(
                "brings a folder work, which can't be moved into the home's own: the jobs folder is another "
                "file system than the home",
                where=job,
            ) from None
        raise BadInput(
            f"can't be prepared: {error.filename or ''} {error.strerror}; work, inbox and logs must be "
            "folders (or not there yet), and the manager must be allowed to write",
            where=job,
        ) from None


def _pass_over_empty(job: int) -> None:
    """An empty folder `work` brings nothing: the job's work folder is then as that of any job."""
    with suppress(OSError):  # it is not there, or something else; or something is in it
        os.rmdir(layout.WORK, dir_fd=job)


def brings_work(job: Path) -> bool:
    """Whether something stands in the place of `work` that `prepare` does not simply pass over.

    It does so with an empty folder, and with the link that a copy of a job's folder has. Raises OSError where
    the job's folder is gone, or a link.
    """
    with opened(job) as folder:
        try:
            with opened(layout.WORK, folder=folder) as work, os.scandir(work) as entries:
                return next(entries, None) is not None
        except FileNotFoundError:
            return False
        except OSError:
            return not _is_shown(folder)


def _is_shown(job: int) -> bool:
    try:
        return os.readlink(layout.WORK, dir_fd=job).startswith(f"{PLACE}/")
    except OSError:
        return False


def make_work(
    work: Path,
    user: Owner,
    users: Collection[int] = (),
    brought: int | None = None,
    inputs: Inputs | None = None,
    pace: Pace = USUAL,
) -> None:
    """Have the work folder there: that which a job has `brought` in its own folder, or else an empty one.

    It belongs to the user of the job's first task; where others are to write in it as well, it is shared.
    """
    writer = user.uid if brought is None else os.fstat(brought).st_uid
    with opened(work.parent) as works:
        if not _is_there(works, work.name):
            if brought is None or not _is_folder(brought, layout.WORK):
                _make_empty(works, work.name)
            else:
                _take_over(brought, works, work.name)
            _give_all(works, work.name, user, writer, inputs)
        elif work.lstat().st_uid == 0:  # a manager was ended before it gave the folder away
            _give_all(works, work.name, user, writer, inputs)
        _share(works, work, user, {user.uid, *users}, writer, pace)


def _give_all(works: int, name: str, user: Owner, writer: int, inputs: Inputs | None) -> None:
    """The work folder last: it tells whether what is in it was given."""
    if inputs is not None and writer == 0 and os.geteuid() == 0:
        gift.give(works, name, user)
    _give(works, name, user)


def _make_empty(works: int, name: str) -> None:
    """For its owner and the group of that."""
    os.mkdir(name, 0o700, dir_fd=works)
    os.chmod(name, 0o750, dir_fd=works)


def _share(works: int, work: Path, user: Owner, users: Collection[int], writer: int, pace: Pace) -> None:
    try:
        sharing.share(work, users, writer, pace)
    except sharing.Unsupported:
        if os.geteuid() != 0 or len(users) > 1:
            raise BadInput(
                f"user {user.uid} can't be given the job's work folder beside others: {acl.NONE}; give all "
                "tasks of the job one user, the manager's where that is not root",
                field="user",
            ) from None
        _give(works, work.name, user)
        # Who had it may be at work, and reads on. Nobody knows its name who may not look into the job.
        os.chmod(work.name, 0o755, dir_fd=works)


def make_workdir(work: Path, way: Sequence[str], user: Owner) -> None:
    """Have the folder there that is this `way` below the work folder: what is missing is made as the user's.

    An engine would make it as root's. Where something of the task's own is in the way, it is left to the
    engine to say so. Raises OSError.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(opened(work))
        for name in way:
            try:
                # In a shared folder the mode for the group bounds what the other users may do.
                os.mkdir(name, 0o775 if sharing.inherits(folder) else 0o755, dir_fd=folder)
                _give(folder, name, user)
            except FileExistsError:
                pass
            try:
                folder = stack.enter_context(opened(name, folder=folder))
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                return


def _take_over(job: int, works: int, name: str) -> None:
    """From here on it is out of its writer's reach; so what it is, is looked at afterwards."""
    os.rename(layout.WORK, name, src_dir_fd=job, dst_dir_fd=works)
    if not _is_folder(works, name):
        os.rename(name, layout.WORK, src_dir_fd=works, dst_dir_fd=job)
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), layout.WORK)


def _show(job: int, work: Path) -> None:
    """Have `work` in the job's folder lead people to the work folder. Nothing of ours goes by it."""
    target = f"{PLACE}/{work.name}"
    try:
        there = os.readlink(layout.WORK, dir_fd=job)
    except FileNotFoundError:
        os.symlink(target, layout.WORK, dir_fd=job)
        return
    except OSError:
        if not _is_folder(job, layout.WORK):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), layout.WORK) from None
        log.warning("a folder work was put into a job's folder after the job was taken: it is not used")
        return
    if there == target:
        return
    if not there.startswith(f"{PLACE}/"):  # in a copy of a job's folder it leads to the work of that job
        raise NotADirectoryError(errno.ENOTDIR, "Is a link, and no folder", layout.WORK)
    aside = f".{layout.WORK}.{secrets.token_hex(6)}"
    os.symlink(target, aside, dir_fd=job)
    os.rename(aside, layout.WORK, src_dir_fd=job, dst_dir_fd=job)


def shown(job: Path) -> str | None:
    """The name of the work folder that the job's folder leads to, where it does."""
    with suppress(OSError):
        return linked(job)
    return None


def linked(job: Path) -> str | None:
    """Likewise. Raises OSError where that can't be told: the job's folder is there, and is closed to us."""
    try:
        with opened(job) as folder:
            name = Path(os.readlink(layout.WORK, dir_fd=folder)).name
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL, errno.ENOTDIR, errno.ELOOP):
            raise
        return None
    return name if name not in ("", "..") else None


def _make_inbox(job: int) -> None:
    """For requests from outside: whoever has the job's folder may ask."""
    _make(job, layout.INBOX)
    with opened(layout.INBOX, folder=job) as inbox:
        _make(inbox, layout.TMP)
        if not _is_there(inbox, layout.CLOSED):  # a `new` that was taken away must stay away
            _make(inbox, layout.NEW)


def open_inbox(job: Path) -> None:
    """Have the job take requests from outside again. Raises OSError."""
    with opened(job) as folder:
        _make_inbox(folder)


def _make(folder: int, name: str) -> None:
    """Unless it is there. Raises OSError where it is something else than a folder."""
    try:
        make_folder(name, folder)
    except FileExistsError:
        os.close(os.open(name, FOLDER, dir_fd=folder))


def _give(folder: int, name: str, user: Owner) -> None:
    """Where this process may."""
    handle = os.open(name, FOLDER, dir_fd=folder)
    try:
        status = os.fstat(handle)
        if (status.st_uid, status.st_gid) != user and os.geteuid() == 0:
            os.fchown(handle, user.uid, user.gid)
    finally:
        os.close(handle)


def _is_there(folder: int, name: str) -> bool:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=folder, follow_symlinks=False)
        return True
    return False


def _is_folder(folder: int, name: str) -> bool:
    with suppress(FileNotFoundError):
        return is_folder(name, folder)
    return False


def delete(folder: Path) -> None:
    """Delete a folder that a task may have written to, whatever is in it. What can't be deleted stays."""
    removal.delete(folder)


def clear(job: Path, works: Path) -> None:
    """Take away what the job's tasks have written. Links are deleted and not followed. Raises OSError.

    Folders are moved in among the `works`, where nobody needs them: to delete them may take long.
    """
    with opened(job) as folder, opened(works) as aside:
        for name in (layout.LOGS, layout.WORK, layout.INBOX):
            try:
                os.rename(name, f".gone-{secrets.token_hex(8)}", src_dir_fd=folder, dst_dir_fd=aside)
            except FileNotFoundError:
                continue
            except OSError:  # another file system
                removal.remove(name, folder)


def owner_of(job: Path) -> Owner:
    """The owner of the job's folder. Raises OSError when it is gone or a link."""
    status = job.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(job)
    return Owner(status.st_uid, status.st_gid)
