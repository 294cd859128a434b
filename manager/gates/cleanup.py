"""What managers before this one left in the home folder for containers that wait, and nobody needs now."""

from collections.abc import Collection, Iterable
from pathlib import Path

from manager.core.live_job import LiveJob
from manager.folder import workspace
from manager.model import containers
from manager.model.home import Home


def clear(home: Home, live: Iterable[LiveJob]) -> None:
    """Delete the folders of slots and gates that belong to no attempt of the `live` jobs."""
    attempts = [job.tasks[task_id].attempts[-1] for job in live for task_id in job.live]
    slots = {attempt.slot for attempt in attempts if attempt.slot is not None}
    names = {attempt.container.name for attempt in attempts}
    gates = names | {containers.slot_name(slot) for slot in slots}
    _delete(home.gates, gates | {"bin"})
    _delete(home.slots, slots)
    for probe in home.jobs.glob(f".{containers.PREFIX}-probe-*"):
        workspace.delete(probe)


def _delete(parent: Path, keep: Collection[str]) -> None:
    for folder in parent.iterdir() if parent.is_dir() else ():
        if folder.name not in keep:
            workspace.delete(folder)
