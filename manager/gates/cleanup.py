"""What is in the home folder for containers and jobs, and nobody needs any more."""

import logging
from collections.abc import Collection, Iterable
from pathlib import Path

from air_executor.store import Store
from manager.core.live_job import LiveJob
from manager.folder import workspace
from manager.model import containers
from manager.model.home import Home

log = logging.getLogger(__name__)


def clear(home: Home, live: Iterable[LiveJob]) -> None:
    """Delete what was the own of containers that belong to no attempt of the `live` jobs."""
    attempts = [job.tasks[task_id].attempts[-1] for job in live for task_id in job.live]
    warm = {attempt.warm for attempt in attempts if attempt.warm is not None}
    _delete(
        home.gates, keep={attempt.container.name for attempt in attempts} | warm | {"bin", home.caches.name}
    )
    for pool in home.old_pools:
        workspace.delete(pool)
    for probe in home.jobs.glob(f".{containers.PREFIX}-probe-*"):
        workspace.delete(probe)


def delete_works(home: Home, names: Iterable[str]) -> None:
    """Delete these work folders, but for those that the folder of a job, which has ended, leads to.

    None at all where that can't be told: no job is there (all may be away), or one can't be asked.
    """
    try:
        linked = {workspace.linked(job.path) for job in Store(home.path).folders()}
    except OSError as error:
        log.warning("work folders that nobody needs stay for now: %s", error)
        return
    for name in set(names) - linked if linked else ():
        workspace.delete(home.work(name))


def _delete(parent: Path, keep: Collection[str]) -> None:
    for folder in parent.iterdir() if parent.is_dir() else ():
        if folder.name not in keep:
            workspace.delete(folder)
