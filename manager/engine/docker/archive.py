"""What is at a path in a container, whether that runs or not, as the engine's archives tell it."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from docker.errors import NotFound
from docker.utils import decode_json_header

MAX_LINKS = 8


class Entry(NamedTuple):
    """What the last link leads to."""

    place: str
    content: Iterable[bytes]
    """A tar archive with it, in pieces."""
    stat: dict[str, Any] | None
    """As the engine gives it; None where nothing is there, or no such container."""


def status(api: Any, container: str, path: str) -> dict[str, Any]:
    """What it is, with `linkTarget` and `mode`; its own link is not followed. Raises NotFound, APIError.

    docker-py has no verb for that: it would begin to read all that is there.
    """
    url = api._url("/containers/{0}/archive", container)
    answer = api.head(url, params={"path": path}, **api._set_request_timeout({}))
    api._raise_for_status(answer)
    found: dict[str, Any] = decode_json_header(answer.headers["x-docker-container-path-stat"])
    return found


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
