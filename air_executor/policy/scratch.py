"""PURE. How much room a task may ask for to write to beside its work folder, and where that is.

What is in memory counts as the task's memory, so that bounds it: of more it would be killed, and never be
told that a place is full.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from air_executor.errors import LONGEST_VALUE, BadInput, cut
from air_executor.format.models import TaskFields
from air_executor.format.places import overlap
from air_executor.format.scratch import GrantedScratch, ScratchSpace
from air_executor.policy import mounts
from air_executor.policy.rules import Policy


class Room(NamedTuple):
    """How much it is, in MiB."""

    memory_mb: int
    disk_mb: int

    @classmethod
    def of(cls, spaces: Iterable[ScratchSpace | GrantedScratch]) -> "Room":
        """All of them together."""
        sizes = {"memory": 0, "disk": 0}
        for space in spaces:
            sizes[space.on] += space.size_mb
        return cls(sizes["memory"], sizes["disk"])


def check(task: TaskFields, settings: Policy, field: str = "") -> None:
    """Raises BadInput where the task asks for more than it can have, or for two things in one place."""
    asked = sum(space.size_mb for space in task.scratch.values())
    if asked > settings.max_scratch_mb:
        raise BadInput(
            f"{asked} MiB in all are more than a task may ask for here: {settings.max_scratch_mb:.10g} "
            "(setting `max_scratch_mb`)",
            field=f"{field}scratch",
        )
    _check_memory(task, settings, field)
    both = overlap((*mounts.places(task, settings), *task.scratch))
    if both is not None:
        outer, inner = (cut(place, LONGEST_VALUE) for place in both)
        raise BadInput(
            f"{inner} lies in {outer}, where the task has something else; give each a place of its own",
            field=f"{field}{'mounts' if task.mounts else 'scratch'}",
        )


def _check_memory(task: TaskFields, settings: Policy, field: str) -> None:
    parts = dict(_in_memory(task))
    asked, has = sum(parts.values()), task.resources.memory_mb or settings.memory_mb
    if has is not None and asked > has:
        raise BadInput(
            f"{asked} MiB are asked for in memory ({', '.join(parts)}), and the task has {has:.10g} MiB of "
            "that: ask for more in resources.memory_mb (its default is the setting `memory_mb`)",
            field=f"{field}{next(iter(parts))}",
        )


def _in_memory(task: TaskFields) -> Iterator[tuple[str, int]]:
    limits = task.resources
    if limits.tmp_mb is not None:
        yield "resources.tmp_mb", limits.tmp_mb
    if limits.shm_mb is not None:
        yield "resources.shm_mb", limits.shm_mb
    if scratch := Room.of(task.scratch.values()).memory_mb:
        yield "scratch", scratch
