"""PURE. What a task knows of hosts. None of it opens a way: what it may send to, `model/egress` says."""

from air_executor.format.attempts import GrantedNames
from air_executor.format.models import TaskFields


def granted_names(task: TaskFields) -> GrantedNames | None:
    """What the task gets; None where it asks for nothing."""
    if not (task.hosts or task.dns or task.dns_search or task.hostname):
        return None
    hostname = None if task.network in (None, "job") else task.hostname
    return GrantedNames(hosts=task.hosts, dns=task.dns, dns_search=task.dns_search, hostname=hostname)
