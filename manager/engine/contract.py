"""What the manager asks of a container engine.

The contract, in prose. It is tested by one suite against every engine and the strict fake.

- A container is known by its name, which the caller makes unique. `create` with a name that is taken by a
  container of the same spec (its digest label) *adopts* that one; taken by anything else, it raises
  NameTaken and touches nothing.
- A container begins once. `start` of one that runs or has ended changes nothing and tells its state: to
  start it again would run the task again.
- `observe` is the truth. Whatever else tells of an end (a log that closes, a wait that returns) is only a
  reason to look.
- The container that holds a job's network is made at need. That it has ended may be found out only when a
  container that joins it is started: that raises NetworkEnded, and the next one to join gets a new network.
  What `observe` has shown to be gone, ended or replaced is not joined again.
- Nothing goes away by itself: `remove` is called when the outcome is durable. Removing what is not there,
  succeeds; what does not carry the home's label is left alone.
- `follow` gives a container's output from its beginning, whenever it is called, and returns when the
  container has ended and everything was given.
- An image that is missing when a container is made is fetched then. `fetch` is for whoever has it fetched
  before, and wants to stop waiting for it; `renew` for who wants it as its registry has it now.
- A spec that `runs_the_images` executes the image's entry point and then its own words, or else the image's.
- Every call is bounded in time, but for `follow`, `wait` and `listen`. When the engine can't be reached, it
  raises EngineUnavailable and may be made again.
- What an engine can't do on any host, it says (`capabilities`), and nobody asks that of it.
- What an image declares to be a volume is an empty folder that can't be written, unless the spec mounts
  something there: nothing of a container is written on the host but in what its spec mounts.
- Whoever a command runs as has a name in its container: the one that its image gives, or else one of ours.
  Where neither can be, it runs without.
- Failures are classes and fields, never text to be parsed. What can't be made because of what was asked for
  is Impossible, and not asked for again; what the host or the engine is short of, is not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from air_executor.format.attempts import Cause
from manager.model.container_spec import ContainerSpec
from manager.model.facts import Listed
from manager.model.image_facts import ImageFacts
from manager.model.values import Capabilities, Host


class EngineError(Exception):
    """The engine refused; the message is its own, in a sentence. `cause` says what kind of refusal it is."""

    cause = Cause.ENGINE


class EngineUnavailable(EngineError):
    """The engine does not answer, or not in time. Nothing is known of the call's effect; call again."""


class StartUnanswered(EngineUnavailable):
    """The engine was asked to start a container, and went away before it answered."""


class ContainerGone(EngineError):
    """There is no such container (any more)."""

    cause = Cause.LOST


class NameTaken(EngineError):
    """The name belongs to a container that is not ours, or was asked for in other words."""


class NetworkEnded(EngineError):
    """The network that it was to join ended before its command began."""


class ImageMissing(EngineError):
    """The image is not here and its registry does not give it."""

    cause = Cause.IMAGE


class ImageUnusable(EngineError):
    """Nothing can have that name, or the image declares what no task may have."""

    cause = Cause.IMAGE


class Impossible(EngineError):
    """What was asked for can't be made here, however often it is asked for: more than the host has, say."""

    cause = Cause.BAD_INPUT


class NetworkMissing(Impossible):
    """The engine has no network of the name that the task asks for, and the operator allows."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the engine has no network {name!r}, which the setting `networks` allows; the operator makes it "
            f"with `docker network create {name}`, and `air-executor retry` tries the job again"
        )


class CommandUnusable(EngineError):
    """The image has no such command, or it can't be executed."""

    cause = Cause.COMMAND


class Status(StrEnum):
    """How far a container is."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Observation:
    """A container, as the engine's inspection tells it. Times are the engine's, UTC."""

    id: str
    name: str
    labels: dict[str, str]
    status: Status
    image_id: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    unusable_command: str | None = None
    """Why the command never ran, where the container ended because of that."""

    @property
    def listed(self) -> Listed:
        """As much of it as is compared with the record."""
        ended = self.status is Status.EXITED
        return Listed(container=self.id, name=self.name, labels=self.labels, ended=ended)


@dataclass(frozen=True, slots=True)
class Pull:
    """How far the engine is with fetching an image."""

    image: str
    seconds: float
    """Since it began."""
    layers: int
    """As far as they are known: none until its registry has answered."""
    layers_done: int
    bytes: int
    """Of the layers that are being fetched, or were: the others tell their size when it is their turn."""
    bytes_done: int
    ended: bool = False
    problem: str | None = None
    """Why the image is not here, where it has ended without."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What this engine and its host keep containers in with, beside what each is asked for with."""

    means: tuple[str, ...]
    """What is in force, such as `seccomp (strict)`."""
    gaps: tuple[str, ...]
    """What is not, and should be: each in a sentence that says what follows from it."""


class Engine(Protocol):
    """See the module's text."""

    def capabilities(self) -> Capabilities:
        """What this engine can do at all; on a given host it may be less. Asks nothing of it."""

    def describe(self) -> str:
        """Name and version, such as `Docker 26.1.5`. Raises EngineUnavailable."""

    def host(self) -> Host:
        """How much the host has that containers are made on. Raises EngineUnavailable."""

    def confinement(self) -> Confinement:
        """What holds for every container that is made here. Raises EngineUnavailable."""

    def image_id(self, image: str) -> str | None:
        """Which image that name means now; None where it is not here. Fetches nothing. Raises EngineError."""

    def fetch(self, image: str) -> None:
        """Have the image here: asked of its registry where it is missing, which takes as long as that takes.

        Raises ImageMissing, EngineError.
        """

    def renew(self, image: str) -> None:
        """As `fetch`, but that its registry is asked although it is here: it may have another one by now."""

    def image_facts(self, image_id: str) -> ImageFacts | None:
        """What the image with this id says of itself; None where it is not here. Raises EngineError."""

    def stop_fetching(self, image: str) -> None:
        """Whoever fetches it gets ImageMissing at once. Asks nothing of the engine."""

    def create(self, spec: ContainerSpec, network: ContainerSpec | None) -> str:
        """Create the container, or adopt it: its id. `network` holds the network that it joins.

        Raises NameTaken, ImageMissing, ImageUnusable, Impossible, NetworkMissing, EngineError;
        CommandUnusable where that is certain beforehand; ContainerGone where the network has ended just now.
        """

    def start(self, container: str) -> Observation:
        """Start it, unless it has begun.

        Raises ContainerGone, CommandUnusable, NetworkEnded, NetworkMissing, Impossible, StartUnanswered,
        EngineError.
        """

    def restarted_since(self, moment: datetime) -> bool:
        """Whether the engine began after `moment`, or may have, as far as it tells.

        If so, `created` is no proof that a container never began: an engine that is killed right after a
        command has begun knows nothing of it later.
        """

    def follow(self, container: str, sink: Callable[[bytes], None]) -> bool:
        """Give its output to `sink`, from the beginning to the end of the container.

        Whether that was all, for sure: of much output an engine keeps the newest. What `sink` raises ends
        it. Raises ContainerGone.
        """

    def first_words(self, container: str) -> bytes:
        """What it has said first, as soon as it has; nothing where it ended without a word.

        Bounded in time, as one that says something is asked. Raises ContainerGone.
        """

    def wait(self, container: str) -> None:
        """Return when it has ended. Raises ContainerGone."""

    def observe(self, container: str) -> Observation:
        """Its state now. Raises ContainerGone."""

    def signal(self, container: str, signal: str) -> None:
        """Send a signal to its command; nothing happens where it has ended. Raises ContainerGone."""

    def remove(self, container: str, home_id: str) -> None:
        """Remove it, ended or not, where it belongs to this home."""

    def rename(self, container: str, name: str) -> None:
        """Give it another name. Raises ContainerGone, EngineError where the name is taken."""

    def read_file(self, container: str, path: str) -> bytes | None:
        """A file of the container, whatever its state; None where there is none. Raises EngineError."""

    def listen(self) -> None:
        """Return when the engine goes away; takes as long as that. Raises EngineUnavailable."""

    def containers(self, home_id: str) -> list[Observation]:
        """Every container that belongs to this home, ended ones too; without what only inspection tells."""
