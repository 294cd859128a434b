"""PURE. Who a task may run as.

Never root. Its user is the owner of the job's folder (`task_uid` where that is root), or one that the
operator's setting `users` lists, with the group that stands there. The group of the job's folder counts
where it is 1000 or more, or in the setting `groups`: below are the machine's own groups, and some of them,
such as docker's, are as good as root. In its place comes the group of the user's own number, where that is
1000 or more, and else that of `task_uid`. There is no other way by which a task comes to a group.
"""

from air_executor.errors import BadInput
from air_executor.format.models import TaskFields
from air_executor.format.users import FIRST_OF_PEOPLE, MAX_ID, Owner, UserRange, parse_user
from air_executor.policy.rules import Policy


def usual_user(owner: Owner, settings: Policy) -> Owner:
    """Who tasks run as that do not say so, in jobs whose folder is `owner`'s."""
    if not 1 <= owner.uid <= MAX_ID:
        return Owner(settings.task_uid, settings.task_uid)
    if owner.gid in settings.groups or FIRST_OF_PEOPLE <= owner.gid <= MAX_ID:
        return owner
    return Owner(owner.uid, owner.uid if owner.uid >= FIRST_OF_PEOPLE else settings.task_uid)


def user_of(task: TaskFields, owner: Owner, settings: Policy) -> Owner:
    """Who the task runs as; the usual user where a record asks for one that is not allowed today."""
    return user_named(task.user, owner, settings)


def user_named(name: str | None, owner: Owner, settings: Policy) -> Owner:
    """Likewise, for a task that asks for this user, or for none."""
    return _allowed(name, owner, settings) or usual_user(owner, settings)


def check_user(task: TaskFields, owner: Owner, settings: Policy, field: str = "") -> None:
    """Raises BadInput where the task may not run as the user that it asks for."""
    if task.user is None:
        return
    if settings.job_uids:
        usual = "a user that the job has for itself"
        allowed = _listed(task.user, settings) is not None
    else:
        usual = str(usual_user(owner, settings))
        allowed = _allowed(task.user, owner, settings) is not None
    if not allowed:
        raise BadInput(
            f"{task.user!r} is not allowed here; tasks of this job run as {usual}, and as whom else, the "
            "operator lists (setting `users`)",
            field=f"{field}user",
        )


def _allowed(name: str | None, owner: Owner, settings: Policy) -> Owner | None:
    """Whom a task asks to run as, where it may."""
    usual = usual_user(owner, settings)
    if name is None or name in (str(usual.uid), str(usual)):
        return usual
    return _listed(name, settings)


def _listed(user: str, settings: Policy) -> Owner | None:
    """The user, where the operator lists it."""
    try:
        asked = Owner(*parse_user(user))
    except ValueError:
        return None
    listed = any(UserRange.parse(each).allows(*asked) for each in settings.users)
    return asked if listed else None
