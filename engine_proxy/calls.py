"""PURE. The calls of the Docker API that the manager makes, and what may be said in each.

What is forwarded is put together anew from what is recognised here: a path, a parameter or a spelling that is
not known never reaches the engine.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from engine_proxy.refusal import Refused

_VERSION = r"(?P<version>/v1\.\d{1,3})?"
_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]{0,254})"
_IMAGE = r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.:@-]*(?:/[A-Za-z0-9][A-Za-z0-9_.:@-]*)*)"


class About(Enum):
    """What a call is about, and so what is to be seen to before it is forwarded."""

    ENGINE = auto()
    IMAGE = auto()
    LIST = auto()
    EVENTS = auto()
    CREATE = auto()
    LOOK = auto()
    VOLUME = auto()
    CONTAINER = auto()
    REMOVE = auto()


@dataclass(frozen=True, slots=True)
class Call:
    """A call, with all that may be said in it."""

    about: About
    method: str
    version: str
    before: str
    name: str
    """Of the container or the image that it is about; empty where it is about none."""
    after: str
    parameters: Mapping[str, str]

    def path(self, name: str) -> str:
        """Where the engine is asked, with `name` in the place of what the manager said."""
        return f"{self.version}{self.before}{name}{self.after}"


@dataclass(frozen=True, slots=True)
class _Known:
    """One call of the table. `before` and `after` stand around the name, where there is one."""

    about: About
    method: str
    before: str
    name: str = ""
    after: str = ""
    parameters: frozenset[str] = frozenset()

    def matches(self, method: str, path: str) -> re.Match[str] | None:
        if method != self.method:
            return None
        return re.fullmatch(_VERSION + re.escape(self.before) + self.name + re.escape(self.after), path)


def _said(*names: str) -> frozenset[str]:
    return frozenset(names)


_OF = "/containers/"
_KNOWN = (
    _Known(About.ENGINE, "GET", "/_ping"),
    _Known(About.ENGINE, "GET", "/version"),
    _Known(About.ENGINE, "GET", "/info"),
    _Known(About.ENGINE, "GET", "/networks/bridge"),
    _Known(About.EVENTS, "GET", "/events", parameters=_said("filters", "since", "until")),
    _Known(About.IMAGE, "GET", "/images/", _IMAGE, "/json"),
    _Known(About.IMAGE, "POST", "/images/create", parameters=_said("fromImage", "tag")),
    _Known(About.VOLUME, "GET", "/volumes/", _NAME),
    _Known(About.CREATE, "POST", "/containers/create", parameters=_said("name")),
    _Known(
        About.LIST,
        "GET",
        "/containers/json",
        parameters=_said("all", "filters", "limit", "size", "trunc_cmd"),
    ),
    _Known(About.LOOK, "GET", _OF, _NAME, "/json"),
    _Known(About.CONTAINER, "POST", _OF, _NAME, "/start"),
    _Known(About.CONTAINER, "POST", _OF, _NAME, "/wait", _said("condition")),
    _Known(About.CONTAINER, "POST", _OF, _NAME, "/kill", _said("signal")),
    _Known(About.CONTAINER, "POST", _OF, _NAME, "/rename", _said("name")),
    _Known(
        About.CONTAINER,
        "GET",
        _OF,
        _NAME,
        "/logs",
        _said("follow", "since", "stderr", "stdout", "tail", "timestamps", "until"),
    ),
    _Known(About.CONTAINER, "GET", _OF, _NAME, "/archive", _said("path")),
    _Known(About.CONTAINER, "HEAD", _OF, _NAME, "/archive", _said("path")),
    _Known(About.REMOVE, "DELETE", _OF, _NAME, "", _said("force", "link", "v")),
)


def recognised(method: str, path: str, parameters: Mapping[str, str]) -> Call:
    """The call that this is. Raises Refused."""
    for known in _KNOWN:
        found = known.matches(method, path)
        if found is None:
            continue
        unknown = sorted(parameters.keys() - known.parameters)
        if unknown:
            raise Refused(f"{method} {path} with {', '.join(unknown)!r} is no call that the manager makes")
        said = found.groupdict()
        return Call(
            known.about,
            method,
            said["version"] or "",
            known.before,
            said.get("name") or "",
            known.after,
            parameters,
        )
    raise Refused(f"{method} {path} is no call that the manager makes")
