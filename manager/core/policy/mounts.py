"""PURE. Which of the operator's mounts a task may have, and as what.

A task's own user reads and writes in them, as on the host: whose files it can open there, their modes say.
"""

from collections.abc import Mapping
from difflib import get_close_matches

from air_executor.errors import LONGEST_VALUE, BadInput, cut
from air_executor.format.models import Task, TaskFields, TaskSpec
from air_executor.format.mounts import USUAL_PLACE, AskedMount, DeclaredMount, GrantedMount
from manager.core.policy import users
from manager.model.values import Owner
from manager.settings import Settings

DECLARES = "the operator declares mounts, in the home's config.toml as [mounts.NAME] (setting `mounts`)"


def check(task: TaskFields, owner: Owner, settings: Settings, field: str = "") -> None:
    """Raises BadInput where the task asks for one that it can't have."""
    for name, asked in task.mounts.items():
        place = f"{field}mounts.{cut(name, LONGEST_VALUE)}"
        declared = settings.mounts.get(name)
        if declared is None:
            raise BadInput(f"is no mount here{_nearest(name, settings)}; {DECLARES}", field=place)
        # Which user a job has for itself, nobody knows before its turn.
        if not settings.job_uids and not declared.serves(*users.user_of(task, owner, settings)):
            raise BadInput(
                f"is not for user {users.user_of(task, owner, settings)}, as whom the task runs (setting "
                f"`mounts.{name}.users`)",
                field=place,
            )
        if asked.read_only is False and not declared.writable:
            raise BadInput(
                "can't be written to: the operator has declared it to be read "
                f"(setting `mounts.{name}.read_only`)",
                field=f"{place}.read_only",
            )


def _nearest(name: str, settings: Settings) -> str:
    nearest = get_close_matches(name, settings.mounts, 1)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""


def places(task: TaskFields, settings: Settings) -> list[str]:
    """Where those that it asks for are in its container."""
    return [_place(name, asked, settings.mounts.get(name)) for name, asked in task.mounts.items()]


def granted(task: Task, user: Owner, settings: Settings) -> tuple[GrantedMount, ...]:
    """What its next attempt gets, that runs as `user`; by the settings of today, whatever its record says."""
    return tuple(_granted(name, asked, user, settings) for name, asked in task.mounts.items())


def _granted(name: str, asked: AskedMount, user: Owner, settings: Settings) -> GrantedMount:
    declared = settings.mounts.get(name)
    place = _place(name, asked, declared)
    if declared is None or not declared.serves(*user) or (asked.read_only is False and not declared.writable):
        return GrantedMount(name=name, kind="withdrawn", place=place)
    return GrantedMount(
        name=name,
        kind="cache" if declared.cache else "volume" if declared.volume else "path",
        source=declared.path or declared.volume or "",
        place=place,
        read_only=asked.read_only is True or not declared.writable,
        size_mb=declared.most_mb if declared.cache else None,
    )


def _place(name: str, asked: AskedMount, declared: DeclaredMount | None) -> str:
    return asked.path or (declared.place(name) if declared else f"{USUAL_PLACE}/{name}")


def bounded(spec: TaskSpec, parent: str, has: Mapping[str, bool]) -> dict[str, AskedMount]:
    """Those of a task that another task queues.

    `has`: what that one has, by name, and whether only to be read. Raises BadInput where it asks for more.
    """
    return {name: _bounded(name, asked, parent, has) for name, asked in spec.mounts.items()}


def _bounded(name: str, asked: AskedMount, parent: str, has: Mapping[str, bool]) -> AskedMount:
    field = f"mounts.{cut(name, LONGEST_VALUE)}"
    rule = "a task gets no more than the one that queues it"
    if name not in has:
        raise BadInput(f"is none of the mounts of task {parent!r}, which asks for it; {rule}", field=field)
    if not has[name]:
        return asked
    if asked.read_only is False:
        raise BadInput(
            f"task {parent!r}, which asks for it, can only read it; {rule}", field=f"{field}.read_only"
        )
    return asked.model_copy(update={"read_only": True})
