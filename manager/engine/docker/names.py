"""PURE. What a container knows of hosts, in the Docker API's words."""

import hashlib
from dataclasses import dataclass
from typing import Any

from manager.model.container_spec import NAMES, ContainerSpec, Mount

OWN_ADDRESS = "127.0.1.1"
"""Of a container's own name where it has no network: Debian's choice for machines without."""


@dataclass(frozen=True, slots=True)
class NameFiles:
    """Files in the place of those that another container has, on the disk."""

    folder: str
    """The name of the folder that they are in."""
    mounts: tuple[Mount, ...]

    @property
    def labels(self) -> dict[str, str]:
        """By which it is known that they are needed."""
        return {NAMES: self.folder}


def of_host(spec: ContainerSpec) -> dict[str, Any]:
    """What stands in a container's HostConfig; in another's network the engine takes none (`name_files`)."""
    own = [f"{own_name(spec)}:{OWN_ADDRESS}"] if spec.network.kind == "none" else []
    if spec.names is None or spec.network.kind == "job":
        return {"ExtraHosts": own}
    names = spec.names
    further = {"Dns": list(names.dns), "DnsSearch": list(names.dns_search)}
    hosts = [f"{name}:{address}" for name, address in names.hosts]
    return {"ExtraHosts": [*own, *hosts]} | {key: value for key, value in further.items() if value}


def own_name(spec: ContainerSpec) -> str:
    """The one that its task asks for; else empty: as the engine names it.

    But without a network nobody else says which address its name has. So that looks like the engine's own
    names, and is known beforehand.
    """
    if spec.names is not None and spec.names.hostname and spec.network.kind != "job":
        return spec.names.hostname
    return hashlib.sha256(spec.name.encode()).hexdigest()[:12] if spec.network.kind == "none" else ""
