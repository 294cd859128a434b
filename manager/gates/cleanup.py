"""What managers before this one left in the home folder for containers that wait, and nobody needs now."""

from collections.abc import Collection, Iterable
from pathlib import Path

from manager.core.live_job import LiveJob
from manager.folder import workspace
from manager.model import containers
from manager.model.home import Home
from manager.model.values import first_of


def clear(home: Home, live: Iterable[LiveJob]) -> None:
    """Delete the folders of warm containers and gates that belong to no attempt of the `live` jobs."""
    attempts = [job.tasks[task_id].attempts[-1] for job in live for task_id in job.live]
    warm = {attempt.warm for attempt in attempts if attempt.warm is not None}
    _delete(home.gates, keep={attempt.container.name for attempt in attempts} | warm | {"bin"})
    places = {home.warm(first_of(name)).name for name in warm}
    for pool in (home.pool, home.old_pool):
        _delete(pool, keep=places)
    for probe in home.jobs.glob(f".{containers.PREFIX}-probe-*"):
        workspace.delete(probe)


def _delete(parent: Path, keep: Collection[str]) -> None:
    for folder in parent.iterdir() if parent.is_dir() else ():
        if folder.name not in keep:
            workspace.delete(folder)
