"""What of the host tasks may have mounted: as the operator declares it, and as a task asks for it by name.

A task never says a path of the host. What a name stands for, the operator's config.toml alone decides:

    [mounts.datasets]
    path = "/srv/datasets"
"""

import posixpath
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from air_executor.errors import quoted
from air_executor.format import places
from air_executor.format.fields import Name, Record, Spec, Text
from air_executor.format.limits import at_most
from air_executor.format.users import UserRange, check_range

MAX_MOUNTS = 32
"""Of one task, and far fewer than one host bears."""
CACHE_MB = 10_240
"""MiB that a cache may have when the next task begins, unless its operator says otherwise."""
OF_THE_HOST = (
    "is a path of the host: a task names what the operator has declared, in config.toml as [mounts.NAME]"
)
OF_DOCKER = (
    "is no mount by its name: a task names what the operator has declared, in config.toml as [mounts.NAME], "
    'and says where as in {"datasets": "/data"}'
)
USUAL_PLACE = "/mnt"
"""The folder in which a mount is found by its name, unless something else is said."""

THE_HOSTS_OWN = (
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/var/run",
    "/boot",
    "/var/lib/docker",
    "/var/lib/containerd",
)
"""Who has one of these, or anything in it, is as good as root on the host, or near it."""
NOT_WHOLE = ("/etc", "/root")
"""Folders that hold more than anybody means to hand out; what is in them may be declared."""


def check_source(path: str) -> str:
    """A folder of the host that may be handed out, without a `/` at its end. Raises ValueError."""
    folder = path.rstrip("/") or "/"
    if not path.startswith("/") or folder != posixpath.normpath(folder) or folder.startswith("//"):
        raise ValueError("must be an absolute path of the host, without `.`, `..` and `//`")
    if not path.isprintable():
        raise ValueError("must be made of characters that can be printed")
    for own in THE_HOSTS_OWN:
        if places.is_in(folder, own) or places.is_in(own, folder):
            raise ValueError(f"can't be handed out: {own} is the host's own; name a folder with data")
    for own in NOT_WHOLE:
        if places.is_in(own, folder):
            raise ValueError(f"can't be handed out whole: it has {own}; name a folder with data")
    if folder.endswith(".sock"):
        raise ValueError("can't be handed out: it is a socket by its name; name a folder with data")
    return folder


class MountRule(BaseModel):
    """What tasks are told of one that the operator allows: who may have it, where, and whether to write."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cache: Annotated[bool, Field(strict=True)] = False
    """A folder that the manager makes, one for each user: the tasks of that user share it."""
    read_only: Annotated[bool, Field(strict=True)] | None = None
    """Unless it is false nobody writes; a cache is always written to."""
    users: Annotated[tuple[Annotated[str, AfterValidator(check_range)], ...], Field(max_length=1000)] = ()
    """Users of tasks that may have it, in the words of the setting `users`; none named: all."""
    at: Annotated[str, AfterValidator(places.check_place)] | None = None
    """Where it is in a container that asks for no other place."""

    @property
    def writable(self) -> bool:
        """Whether a task may write to it that asks for no less."""
        return self.cache or self.read_only is False

    def serves(self, uid: int, gid: int) -> bool:
        """Whether the operator means it for tasks of that user; the group counts where one is named."""
        named = map(UserRange.parse, self.users)
        return not self.users or any(
            each.first <= uid <= each.last and each.gid in (None, gid) for each in named
        )

    def place(self, name: str) -> str:
        """Where it is, unless a task says otherwise."""
        return self.at or f"{USUAL_PLACE}/{name}"


class DeclaredMount(MountRule):
    """One that the operator allows: a folder of the engine's host, a volume of the engine's, or a cache."""

    model_config = ConfigDict(extra="forbid")

    path: Annotated[str, Field(strict=True, max_length=4095), AfterValidator(check_source)] | None = None
    """A folder of the host that the engine runs on."""
    volume: Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")] | None = None
    """A volume of the engine's, which the operator has made."""
    size_mb: Annotated[int, Field(ge=1, le=1 << 30, strict=True)] | None = None
    """MiB of a cache, for each user: one with more is emptied before a further task gets it."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if [self.path is not None, self.volume is not None, self.cache].count(True) != 1:
            raise ValueError("must have one of `path`, `volume` and `cache = true`")
        if self.cache and self.read_only:
            raise ValueError("is a cache, which tasks write to: `read_only` must not be true")
        if self.size_mb is not None and not self.cache:
            raise ValueError("has a `size_mb`, which only a cache has")
        return self

    @property
    def most_mb(self) -> int:
        """MiB of a cache."""
        return self.size_mb or CACHE_MB


class AskedMount(Spec):
    """How a task wants to have a mount. A bare path stands for `{"path": path}`."""

    path: Annotated[Text, AfterValidator(places.check_place)] | None = None
    """Where, in the container; what the operator has said where it is not set."""
    read_only: Annotated[bool, Field(strict=True)] | None = None
    """Whether the task must not write to it; as the operator has it where it is not set."""


def _read(value: Any) -> Any:
    value = at_most(MAX_MOUNTS, "mounts")(value)
    for source in _of_docker(value):
        rule = OF_THE_HOST if _is_path(source) else OF_DOCKER
        raise ValueError(rule if source is value else f"{quoted(source)} {rule}")
    if isinstance(value, list | tuple):
        if not all(isinstance(name, str) for name in value):
            raise ValueError('must be names, such as ["datasets"]')
        twice = next((name for name in value if list(value).count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"has {quoted(twice)} twice")
        return dict.fromkeys(value, AskedMount())
    if isinstance(value, dict):
        return {name: _read_one(asked) for name, asked in value.items()}
    raise ValueError(
        'must be a list of names, such as ["datasets"], or an object such as {"datasets": "/data"}'
    )


def _is_path(source: Any) -> bool:
    return isinstance(source, dict) or (isinstance(source, str) and source.startswith(("/", "~", ".")))


def _of_docker(value: Any) -> Iterator[Any]:
    """What stands where names should, as Docker and Compose write it: paths of the host, volumes."""
    if isinstance(value, dict) and set(value) >= {"Source", "Target"}:
        yield value["Source"]
    for asked in value if isinstance(value, list | tuple | dict) else (value,):
        if isinstance(asked, str) and ("/" in asked or asked.startswith("~")):
            yield asked
        elif isinstance(asked, dict):
            yield from (asked[key] for key in ("Source", "source", "hostPath") if key in asked)


def _read_one(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _short(value: dict[str, AskedMount]) -> Any:
    """As people write it: names alone where nothing else is said."""
    said = {name: asked.model_dump(exclude_none=True) for name, asked in value.items()}
    if not any(said.values()):
        return list(said)
    return {name: words["path"] if list(words) == ["path"] else words for name, words in said.items()}


Mounts = Annotated[dict[Name, AskedMount], BeforeValidator(_read), PlainSerializer(_short)]


class GrantedMount(Record):
    """A mount that an attempt gets."""

    name: str
    kind: Literal["path", "volume", "cache", "withdrawn"]
    """`withdrawn`: the operator does not allow it any more, and the attempt fails for that."""
    source: str = ""
    """The folder of the host, or the volume."""
    place: str
    read_only: bool = True
    size_mb: int | None = None
    """Of a cache."""
