"""Where a container has things mounted that not every container has: what its image has there.

A container runtime follows the image's links to the place of a mount, and makes what is missing there, as
root: a place behind a link may be in a folder of the host that is mounted as well, or over what every
container has of its own. So it must be what it looks like.
"""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import docker
from docker.errors import NotFound

from air_executor.errors import quoted
from air_executor.format.places import is_in
from manager.engine.contract import Engine, EngineError
from manager.engine.docker.archive import status
from manager.engine.docker.connection import translated
from manager.model import containers
from manager.model.container_spec import GATED, HOME_ID, ContainerSpec

FOLDER = 1 << 31
"""Of a mode, as the engine tells it (Go's `fs.ModeDir`)."""
KEPT = 10_000
"""Places of images that are remembered."""


class _Place(NamedTuple):
    image_id: str
    path: str


class ImagePlaces:
    """Safe to use from several threads."""

    def __init__(self, engine: Engine, api: Callable[[], docker.APIClient]) -> None:
        """`engine` makes the containers by which images are looked at, `api` gives a client."""
        self._engine = engine
        self._api = api
        self._known: dict[_Place, str | None] = {}
        self._looking = threading.Lock()

    def problem(self, spec: ContainerSpec, image_id: str) -> str | None:
        """Why something can't be mounted where the container is to have it, or None. Raises EngineError."""
        places = [_Place(image_id, path) for path in _asked_for(spec)]
        if not places:
            return None
        with self._looking:
            if any(place not in self._known for place in places):
                self._look(spec, places)
            return next((problem for place in places if (problem := self._known[place])), None)

    def _look(self, spec: ContainerSpec, places: list[_Place]) -> None:
        name = containers.accounts_name(secrets.token_hex(5))
        reader = self._engine.create(containers.never_started(spec, places[0].image_id, name), None)
        try:
            if len(self._known) > KEPT:
                self._known.clear()
            with translated():
                for place in places:
                    self._known[place] = _problem(self._api(), reader, place.path)
        finally:
            with suppress(EngineError):  # it has the home's label, and is swept
                self._engine.remove(reader, spec.labels[HOME_ID])


def _asked_for(spec: ContainerSpec) -> list[str]:
    """Places that not every container has."""
    places = (*spec.places, *(each.target for each in spec.in_memory))
    return [place for place in places if not any(is_in(place, own) for own in containers.OWN_PLACES)]


def workdir_problem(spec: ContainerSpec) -> str | None:
    """Why its command can't begin there, or None. A gate goes there itself, and makes nothing.

    Where there is none, the engine would make it, as root's.
    """
    if GATED in spec.labels:
        return None
    for place in _asked_for(spec):
        if spec.workdir != place and is_in(spec.workdir, place):
            return (
                f"the working directory {quoted(spec.workdir)} is in {place}, and can't be on a host where "
                f"no gate works: begin in {place}, and go there in the command"
            )
    return None


def _problem(api: docker.APIClient, container: str, place: str) -> str | None:
    for path in _way_to(place):
        try:
            found: dict[str, Any] = status(api, container, path)
        except NotFound:
            return None  # what is missing is made, where the way to it has led so far
        if found["linkTarget"]:
            return (
                f"nothing can be mounted at {place}: there the image has a link, {path}, to "
                f"{quoted(found['linkTarget'])}; name a place without links"
            )
        if not found["mode"] & FOLDER:
            return f"nothing can be mounted at {place}: {path} is no folder in the image"
    return None


def _way_to(place: str) -> Iterator[str]:
    """`/a`, `/a/b`, `/a/b/c`."""
    names = place.split("/")[1:]
    return ("/" + "/".join(names[:length]) for length in range(1, len(names) + 1))
