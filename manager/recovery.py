"""PURE. At start and at every poll: what the engine has, against what the journals say.

Attempts that were under way need nothing of their own here: the planner asks for the acts that their phase
calls for, each act finds out how far things have come, and none of them runs a task again. What is left are
containers that serve nobody.
"""

from collections.abc import Iterable, Mapping

from air_executor.models import Phase
from manager.container_spec import JOB_UID, ROLE, key_of
from manager.facts import Listed
from manager.live_job import LiveJob


def orphans(listed: Iterable[Listed], jobs: Mapping[str, LiveJob]) -> set[str]:
    """The containers, of those `listed`, that belong to no live attempt and no live job."""
    return {each.container for each in listed if not _serves(each.labels, jobs)}


def without_network(listed: Iterable[Listed], jobs: Mapping[str, LiveJob]) -> set[str]:
    """The jobs, by uid, with tasks running in a shared network that nothing holds any more."""
    held = {
        each.labels.get(JOB_UID) for each in listed if each.labels.get(ROLE) == "network" and not each.ended
    }
    return {uid for uid, job in jobs.items() if uid not in held and any(job.networked())}


def _serves(labels: dict[str, str], jobs: Mapping[str, LiveJob]) -> bool:
    job = jobs.get(labels.get(JOB_UID, ""))
    match labels.get(ROLE):
        case "network":
            return job is not None
        case "task":
            key = key_of(labels)
            if job is None or key is None or key.task not in job.tasks:
                return False
            attempt = job.tasks[key.task].attempt
            return (
                attempt is not None
                and (attempt.number, attempt.incarnation) == (key.number, key.incarnation)
                and attempt.phase is not Phase.REMOVED
            )
        case _:  # a probe that its manager did not live to remove, among others
            return False
