"""Whether an image may be pulled: by what the operator lists, and by where the registry's name leads.

The engine looks the name up again, and may be told something else; it also goes where a registry sends it.
So for strangers' names this is no wall. Where one is needed, the operator lists the registries by name.
"""

import socket
from collections.abc import Callable, Iterable

from air_executor.format.images import DEFAULT_REGISTRY, parse_reference
from manager.model import registries

Lookup = Callable[[str], Iterable[str]]
"""The addresses of a host. Raises OSError or UnicodeError where there are none."""


def addresses(host: str) -> set[str]:
    """As this process's machine looks them up."""
    return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}


class Registries:
    """Those that the operator lists."""

    def __init__(self, listed: tuple[str, ...], own_image: str, lookup: Lookup = addresses) -> None:
        """`own_image`: the one that the operator has chosen, wherever it comes from."""
        self._listed = listed
        self._own_image = own_image
        self._lookup = lookup

    def refusal(self, image: str) -> str | None:
        """Why the image may not be asked of its registry; None where it may. May take as long as a lookup."""
        if image == self._own_image:
            return None
        try:
            registry = parse_reference(image).registry
        except ValueError as error:
            return str(error)
        if registries.names(registry, self._listed):
            return None
        if registries.PUBLIC not in self._listed or not registries.is_public(registry):
            return f"{registry} is no registry that images may be pulled from here (setting `registries`)"
        return self._misled(registry)

    def _misled(self, registry: str) -> str | None:
        if registry == DEFAULT_REGISTRY:  # only who rules this network can lead it elsewhere
            return None
        try:
            found = self._lookup(registries.host_of(registry))
        except (OSError, UnicodeError):  # a proxy of the engine's may know it: then it asks, and not the host
            return None
        private = sorted(each for each in found if not registries.is_public_address(each.partition("%")[0]))
        if not private:
            return None
        return (
            f"{registry} is at {private[0]}, which is no public address; "
            "name it where images may be pulled from there (setting `registries`)"
        )
