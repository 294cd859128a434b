"""PURE. What an operator has declared to be mounted, in the words of the Docker API.

A folder is mounted without the file systems that are mounted below it: an engine that is asked as one of API
1.41 makes only the folder's own read-only (seen with 26.1.5), so through those a task could write.
"""

from collections.abc import Callable
from typing import Any

from air_executor.errors import quoted
from air_executor.format.places import is_in
from manager.model.container_spec import ContainerSpec, Declared


def mounts(spec: ContainerSpec) -> list[dict[str, Any]]:
    """As `HostConfig.Mounts` takes them."""
    return [_mount(each) for each in spec.declared]


def _mount(declared: Declared) -> dict[str, Any]:
    mount = {
        "Type": "volume" if declared.kind == "volume" else "bind",
        "Source": declared.source,
        "Target": declared.target,
        "ReadOnly": declared.read_only,
    }
    if declared.kind == "volume":  # an empty one is not filled with what the image has there
        return mount | {"VolumeOptions": {"NoCopy": True}}
    return mount | {"BindOptions": {"Propagation": "rprivate", "NonRecursive": True}}


def without(body: dict[str, Any], spec: ContainerSpec, but: Declared | None = None) -> dict[str, Any]:
    """The same container without what was declared, `but` for one."""
    host, left_out = body["HostConfig"], [_mount(each) for each in spec.declared if each != but]
    kept = [mount for mount in host["Mounts"] if mount not in left_out]
    return body | {"HostConfig": host | {"Mounts": kept}}


def problem(spec: ContainerSpec, home: str, leads_to: Callable[[str], str]) -> str | None:
    """Why no container can be made with them, or None.

    `home`: the manager's, as the engine sees it. `leads_to`: where a path of the engine's host leads, with
    its links followed; the path itself where that is not to be seen.
    """
    for each in spec.declared:
        if each.kind == "withdrawn":
            return (
                f"the mount {each.name!r} is not allowed any more as the task asks for it: the operator has "
                f"changed the setting `mounts.{each.name}` since the job was taken"
            )
        if each.kind == "path":
            found = _problem(each, home, leads_to)
            if found is not None:
                setting = f"mounts.{each.name}.path"
                return f"the mount {each.name!r} can't be handed out: {found} (setting `{setting}`)"
    return None


def _problem(declared: Declared, home: str, leads_to: Callable[[str], str]) -> str | None:
    """It was resolved when the manager began: what leads elsewhere now, somebody has put there since."""
    source, reached = declared.source, leads_to(declared.source)
    if any(
        is_in(path, own) or is_in(own, path) for path in (source, reached) for own in (home, leads_to(home))
    ):
        return (
            f"{source} is the manager's own home, in or above it, or leads there; the operator names another"
        )
    if reached != source:
        return (
            f"{source} leads to {quoted(reached)} now, and did not when the manager began; the operator "
            "looks who has put that there, and restarts the manager if it is meant"
        )
    return None


def no_such_folder(declared: Declared, told: str) -> str:
    """What is said where the engine refuses to mount it. `told`: its own words."""
    return (
        f"the mount {declared.name!r} can't be had: {declared.source} is to be a folder of the host that the "
        f"engine runs on (setting `mounts.{declared.name}.path`); the engine says: {told}"
    )


def no_such_volume(declared: Declared) -> str:
    """What is said where the engine has no such volume; if asked, it would make one."""
    return (
        f"the mount {declared.name!r} can't be had: the engine has no volume {declared.source!r}; the "
        f"operator makes it with `docker volume create {declared.source}` (setting "
        f"`mounts.{declared.name}.volume`)"
    )
