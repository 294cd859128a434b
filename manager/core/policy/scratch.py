"""PURE. How much room a task gets to write to beside its work folder."""

from air_executor.errors import BadInput
from air_executor.format.models import TaskFields
from air_executor.format.scratch import GrantedScratch
from air_executor.policy.scratch import Room
from manager.core.policy.refusals import NO_MORE
from manager.settings import Settings


def granted(task: TaskFields, settings: Settings) -> tuple[GrantedScratch, ...]:
    """What its next attempt gets: of all together no more than the operator allows today."""
    left, places = settings.max_scratch_mb, []
    for place, space in task.scratch.items():
        size = min(space.size_mb, left)
        left -= size
        if size:
            places.append(GrantedScratch(place=place, size_mb=size, on=space.on))
    return tuple(places)


def check_bounded(task: TaskFields, parent: str, has: Room) -> None:
    """Raises BadInput where a task asks for more room than the one has that queues it."""
    asked = Room.of(task.scratch.values())
    for size, most, where in (
        (asked.memory_mb, has.memory_mb, "in memory"),
        (asked.disk_mb, has.disk_mb, "on disk"),
    ):
        if size > most:
            raise BadInput(
                f"{size} MiB {where} are more than task {parent!r} has, which asks for it: {most}; {NO_MORE}",
                field="scratch",
            )
