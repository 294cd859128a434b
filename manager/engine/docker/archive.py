"""What is at a path in a container, whether that runs or not, as the engine's archives tell it."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from docker.errors import NotFound

MAX_LINKS = 8


class Entry(NamedTuple):
    """What the last link leads to."""

    place: str
    content: Iterable[bytes]
    """A tar archive with it, in pieces."""
    stat: dict[str, Any] | None
    """As the engine gives it; None where nothing is there, or no such container."""


def entry(api: Any, container: str, path: str) -> Entry | None:
    """What is there; links are followed. None for one without end. Raises docker-py's APIError."""
    for _ in range(MAX_LINKS):
        try:
            content, stat = api.get_archive(container, path)
        except NotFound:
            return Entry(path, (), None)
        if not stat["linkTarget"]:
            return Entry(path, content, stat)
        path = stat["linkTarget"]
    return None
