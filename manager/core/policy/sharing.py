"""PURE. Which users the tasks of one job may have together: all of them write in its work folder.

A manager that is root opens it to several by access control lists, where the home's file system has them. One
that is not root owns it, so each other user is one more; and what other users have made in it, it can't open
to a user that comes later.
"""

from collections.abc import Collection, Sequence

from air_executor.errors import BadInput, quoted
from air_executor.format.models import Task, TaskFields
from air_executor.policy.users import user_named
from manager.model.values import MOST_SHARERS, Owner, Sharing
from manager.settings import Settings

_User = int | None
"""A user's number; None for the one that a job gets for itself (setting `job_uids`)."""


def sharers(names: Collection[str | None], owner: Owner, settings: Settings) -> frozenset[int]:
    """The users of tasks that ask for these, in a job whose folder is `owner`'s."""
    return frozenset(user_named(name, owner, settings).uid for name in names)


def check_sharing(tasks: Sequence[Task], owner: Owner, settings: Settings, able: Sharing) -> None:
    """Raises BadInput where the tasks of a new job can't all write in its work folder."""
    firsts: dict[str | None, int] = {}
    for index, task in enumerate(tasks):
        firsts.setdefault(task.user, index)
    there: list[_User] = []
    for name, index in firsts.items():
        user = _user(name, owner, settings)
        if user not in there:
            _check_one_more(user, name, there, able, f"tasks[{index}].")
            there.append(user)


def check_joining(
    task: TaskFields, names: Collection[str | None], owner: Owner, settings: Settings, able: Sharing
) -> None:
    """Raises BadInput where the task that is asked for brings a user which can't be given the work folder.

    `names`: what the tasks ask for that the job has already.
    """
    there = [_user(name, owner, settings) for name in names]
    user = _user(task.user, owner, settings)
    if user in there:
        return
    _check_one_more(user, task.user, there, able, "")
    others = [each for each in there if each != able.manager]
    if able.manager and user != able.manager and others:
        raise BadInput(
            f"{_named(task.user, user)} is a user that no task of this job has: what its tasks make as "
            f"{_words(others[0])}, the manager, user {able.manager}, can't open to one more; give the task "
            "one of their users, name all users in tasks.json, or run the manager as root",
            field="user",
        )


def _user(name: str | None, owner: Owner, settings: Settings) -> _User:
    return None if name is None and settings.job_uids else user_named(name, owner, settings).uid


def _check_one_more(
    user: _User, name: str | None, there: Collection[_User], able: Sharing, field: str
) -> None:
    others = ({*there, able.manager} if able.manager else {*there}) - {user}
    if able.problem is not None and others:
        one = f"the manager's user, {able.manager}" if able.manager else "one user"
        raise BadInput(
            f"{_named(name, user)} can't share the job's work folder with {_words(min(others, key=str))}: of "
            f"the home folder, {able.problem}; give all tasks of the job {one}, or have the home folder "
            "where there are some, as on ext4 or xfs (`air-executor doctor` tells)",
            field=f"{field}user",
        )
    if len({*there, user}) > MOST_SHARERS:
        raise BadInput(
            f"{_named(name, user)} is one user too many: the tasks of a job can share its work folder as "
            f"{MOST_SHARERS} users at most",
            field=f"{field}user",
        )


def _named(name: str | None, user: _User) -> str:
    return _words(user) if name is None else quoted(name)


def _words(user: _User) -> str:
    return "the user that the job has for itself" if user is None else f"user {user}"
