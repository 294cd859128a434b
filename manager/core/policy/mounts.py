"""PURE. Which of the operator's mounts a task gets, and as what.

A task's own user reads and writes in them, as on the host: whose files it can open there, their modes say.
"""

from collections.abc import Mapping

from air_executor.errors import LONGEST_VALUE, BadInput, cut
from air_executor.format.models import Task, TaskSpec
from air_executor.format.mounts import AskedMount, GrantedMount
from air_executor.policy.mounts import place_of
from manager.core.policy.refusals import NO_MORE
from manager.model.values import Owner
from manager.settings import Settings


def granted(task: Task, user: Owner, settings: Settings) -> tuple[GrantedMount, ...]:
    """What its next attempt gets, that runs as `user`; by the settings of today, whatever its record says."""
    return tuple(_granted(name, asked, user, settings) for name, asked in task.mounts.items())


def _granted(name: str, asked: AskedMount, user: Owner, settings: Settings) -> GrantedMount:
    declared = settings.mounts.get(name)
    place = place_of(name, asked, declared)
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


def bounded(spec: TaskSpec, parent: str, has: Mapping[str, bool]) -> dict[str, AskedMount]:
    """Those of a task that another task queues.

    `has`: what that one has, by name, and whether only to be read. Raises BadInput where it asks for more.
    """
    return {name: _bounded(name, asked, parent, has) for name, asked in spec.mounts.items()}


def _bounded(name: str, asked: AskedMount, parent: str, has: Mapping[str, bool]) -> AskedMount:
    field = f"mounts.{cut(name, LONGEST_VALUE)}"
    if name not in has:
        raise BadInput(f"is none of the mounts of task {parent!r}, which asks for it; {NO_MORE}", field=field)
    if not has[name]:
        return asked
    if asked.read_only is False:
        raise BadInput(
            f"task {parent!r}, which asks for it, can only read it; {NO_MORE}", field=f"{field}.read_only"
        )
    return asked.model_copy(update={"read_only": True})
