"""Opens a work folder to all users that the tasks of its job have: what one makes, the others can change.

By access control lists: one entry for each user, on the folder and on all that is in it; what is made later
inherits them, whatever the umask. The folder keeps its owner, no container gets a group for it, and nobody
else on the machine may do more than before.

What is in there, tasks have made, and the job's writer may have put there: no link is followed, and only what
belongs to one of those users (the job's writer is one, root is none) is opened to the others. So nobody comes
by it to a file of somebody else's, whatever is moved into the folder.
"""

import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from air_executor.errors import BadInput, quoted
from manager.folder.acl import ALL, READ_WRITE, Acl, Kind, is_unsupported, read, write
from manager.folder.pace import USUAL, Endless, Pace
from manager.folder.walk import Step, Walk
from manager.model.values import MOST_SHARERS

NOTHING = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
"""A handle of whatever has a name, which neither waits nor needs a permission."""


class Unsupported(Exception):
    """The file system has no access control lists."""


def share(work: Path, users: Collection[int], writer: int, pace: Pace = USUAL) -> None:
    """Have all `users` read and write what is in `work`, and who owns that, and the job's `writer`.

    Where only its owner is to, nothing changes. What has been shared among them is walked through for what
    was made since with a narrower mode than usual (`cp`, sqlite: 0644): only what is closed to everybody but
    its owner (0600, 0700: keys) stays so.

    Raises Unsupported; BadInput where something can't be given to them, or there is no end to what is in it;
    OSError; and whatever ends the `pace`.
    """
    top = work.lstat()
    sharers = {*users, top.st_uid} - {0}
    if len(sharers) < 2:
        return
    if len(sharers) > MOST_SHARERS + 1:
        raise BadInput(
            f"the tasks of a job can share its work folder as {MOST_SHARERS} users at most", field="user"
        )
    sharers |= {writer} - {0}
    with _telling_unsupported():
        if _was_shared(str(work), sharers):
            with _refused(work.name, top):  # a task may have changed the mode of the folder itself
                _open_up(str(work), top, sharers)
            _share_below(work, sharers, top, pace, _is_narrowed)
        else:
            _share_all(work, sharers, top, pace)


def let_in(folder: int, user: int) -> None:
    """Have the user write in an opened, empty folder of ours, and this process in what is made there.

    Raises Unsupported; OSError.
    """
    both = Acl(ALL, {user: ALL, os.geteuid(): ALL}, 0, ALL, 0)
    with _telling_unsupported():
        for kind in Kind:
            write(_path_of(folder), kind, both)


def inherits(folder: int) -> bool:
    """Whether what is made in the opened `folder` is shared."""
    with suppress(OSError):
        return read(_path_of(folder), Kind.DEFAULT) is not None
    return False


def _was_shared(work: str, sharers: Collection[int]) -> bool:
    """Its own list is the last that is written: whom it names, those got all that is below."""
    there = read(work, Kind.ACCESS)
    return there is not None and there.users.keys() >= set(sharers)


def _share_all(work: Path, sharers: Collection[int], top: os.stat_result, pace: Pace) -> None:
    with _refused(work.name, top):
        write(str(work), Kind.DEFAULT, _for_what_is_made(sharers))
    _share_below(work, sharers, top, pace, lambda status: True)
    with _refused(work.name, top):
        as_it_is = _as_it_is(top, read(str(work), Kind.ACCESS), sharers)
        write(str(work), Kind.ACCESS, as_it_is._replace(owner=ALL, other=0))


def _share_below(
    work: Path,
    sharers: Collection[int],
    top: os.stat_result,
    pace: Pace,
    wanted: Callable[[os.stat_result], bool],
) -> None:
    """Each folder before what is in it: so what is made in it meanwhile inherits the list, or is found."""
    walk = Walk(work)
    try:
        steps = pace.keep(walk.steps())
        next(steps)
        for step in steps:
            if step is not None and _is_theirs(step.status, sharers, top.st_dev) and wanted(step.status):
                _share_one(step, sharers)
    except Endless:
        raise BadInput(
            "its tasks make or move folders in the job's work folder faster than these can be opened to one "
            "more user; give all tasks of the job one user, or have this one depend on those that do so",
            field="user",
        ) from None
    finally:
        walk.close()


def _is_narrowed(status: os.stat_result) -> bool:
    """Whether others may do something with it, but less than its kind allows. The mode shows the mask."""
    most = _most(status)
    return 0 < status.st_mode >> 3 & most < most


def _most(status: os.stat_result) -> int:
    usable = stat.S_ISDIR(status.st_mode) or status.st_mode & 0o111
    return ALL if usable else READ_WRITE


def _is_theirs(status: os.stat_result, sharers: Collection[int], device: int) -> bool:
    return not stat.S_ISLNK(status.st_mode) and status.st_uid in sharers and status.st_dev == device


def _share_one(step: Step, sharers: Collection[int]) -> None:
    try:
        handle = os.open(step.name, NOTHING, dir_fd=step.folder)
    except FileNotFoundError:
        return
    try:
        status = os.fstat(handle)
        if not _is_theirs(status, sharers, step.status.st_dev):  # another one has its name now
            return
        with _refused(step.name, status):
            _open_up(_path_of(handle), status, sharers)
    finally:
        os.close(handle)


def _open_up(path: str, status: os.stat_result, sharers: Collection[int]) -> None:
    if stat.S_ISDIR(status.st_mode):
        _add(path, Kind.DEFAULT, _for_what_is_made(sharers), read(path, Kind.DEFAULT))
    there = read(path, Kind.ACCESS)
    _add(path, Kind.ACCESS, _as_it_is(status, there, sharers), there)


def _add(path: str, kind: Kind, wanted: Acl, there: Acl | None) -> None:
    if there is None or not there.allows(wanted):
        write(path, kind, wanted)


def _for_what_is_made(sharers: Collection[int]) -> Acl:
    """It takes the place of the umask, so the owner's group gets nothing that a task has closed to it."""
    return Acl(ALL, dict.fromkeys(sharers, ALL), 0, ALL, 0)


def _as_it_is(status: os.stat_result, there: Acl | None, sharers: Collection[int]) -> Acl:
    """For its owner, its group and others as it is, and for the sharers all that can be done with it."""
    owner, group, other = (status.st_mode >> bits & ALL for bits in (6, 3, 0))
    if there is not None:
        group = there.group & there.mask
    return Acl(owner, dict.fromkeys(sharers, ALL), group, _most(status), other)


def _path_of(handle: int) -> str:
    """By which what is open can be asked and told what its handle alone can't."""
    return f"/proc/self/fd/{handle}"


@contextmanager
def _telling_unsupported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_unsupported(error):
            raise Unsupported from None
        raise


@contextmanager
def _refused(name: str, status: os.stat_result) -> Iterator[None]:
    try:
        yield
    except PermissionError:
        raise BadInput(
            f"{quoted(name)} in the job's work folder belongs to user {status.st_uid}: the manager, user "
            f"{os.geteuid()}, can't open it to other users; give all tasks of the job one user, name all "
            "users in tasks.json from the start, or run the manager as root",
            field="user",
        ) from None
