"""A strict engine in memory: it keeps the contract of `manager.engine.contract`, and notices who does not.

What a container does is looked up in a table from command to `Program`. Whoever asks for something that the
manager must never ask for (a second container of a task beside one that runs, the removal of one whose
outcome nobody has looked at, root, …) gets a ContractViolation, which is remembered as well: the manager's
threads catch exceptions, so `check()` raises the first one again at the end of a test.
"""

import itertools
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from air_executor.clock import utc_now
from air_executor.format import layout
from manager.engine.contract import (
    CommandUnusable,
    Confinement,
    ContainerGone,
    EngineError,
    EngineUnavailable,
    ImageMissing,
    ImageUnusable,
    Impossible,
    NameTaken,
    NetworkEnded,
    NetworkMissing,
    Observation,
    Status,
)
from manager.model import container_spec, containers
from manager.model.container_spec import ContainerSpec
from manager.model.image_facts import ImageFacts, check_words, words
from manager.model.stop_signals import number_of
from manager.model.values import Capabilities, Host
from tests.fakes import gates

Command = tuple[str, ...]

VALID_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
TASK_LABELS = (
    container_spec.HOME_ID,
    container_spec.HOME_PATH,
    container_spec.JOB,
    container_spec.JOB_UID,
    container_spec.TASK,
    container_spec.ATTEMPT,
    container_spec.INCARNATION,
)
SIGN_OF_LIFE = "SIGHUP"
"""For what guards a network, and nobody else."""


class ContractViolation(AssertionError):
    """The manager asked for what it must never ask for."""


@dataclass(frozen=True)
class Program:
    """What a command does."""

    exit_code: int = 0
    signal: int | None = None
    """The one that ends it, 0 for none, as its gate says; None: the one that its exit code is for."""
    seconds: float | None = 0.0
    """How long it runs; None: until it is stopped."""
    output: bytes = b""
    drops: Mapping[str, str] = field(default_factory=dict)
    """Files that it puts into its inbox's `new`."""
    writes: Mapping[str, str] = field(default_factory=dict)
    """Files that it puts into its working directory."""
    ignores_term: bool = False
    oom: bool = False
    unusable: str | None = None
    """Why it can't be executed, where that is noticed by the container's init: it ends with 127."""
    refused: str | None = None
    """Why it can't be executed, where that is certain before a container is made."""
    start_fails: str | None = None
    """Why it can't be executed, where the engine notices that at the start."""
    looks_for: str | None = None
    """A file without which, in its working directory, it ends with 1."""
    result: str | None = None
    """What it writes as its result, where it does."""


FOREVER = Program(seconds=None)


@dataclass
class _Container:
    spec: ContainerSpec
    id: str
    created_at: datetime
    program: Program
    status: Status = Status.CREATED
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    unusable: str | None = None
    joins: str | None = None
    """The id of the container whose network it joins."""
    output: bytes = b""
    outcome_seen: bool = False
    removed: bool = False
    image_id: str = ""
    folders: dict[str, int] = field(default_factory=dict)
    """Handles of what is mounted, by target: a mount follows its folder when that is renamed."""
    serves: tuple[str, str, int] | None = None
    """The job, task and attempt that it is for; that of a warm one, made for none, once it is told."""

    gate_shut: bool = False
    mouth: int | None = None
    """Through which its gate will say how the command ended."""
    """Whether its command has not begun because nobody has opened its gate."""

    @property
    def role(self) -> str:
        return self.spec.labels.get(container_spec.ROLE, "")

    @property
    def task_began(self) -> bool:
        """Whether a task's command was executed in it, or could be at any moment."""
        return (self.role == "task" or self.serves is not None) and not self.gate_shut

    def folder(self, target: str) -> Path:
        """What is mounted there, wherever it is now."""
        return Path(f"/proc/self/fd/{self.folders[target]}")


class FakeEngine:
    """See the module's text. Safe to use from several threads."""

    def __init__(
        self, programs: Mapping[Command, Program] | None = None, images: set[str] | None = None
    ) -> None:
        self.programs: dict[Command, Program] = {
            ("true",): Program(),
            ("false",): Program(exit_code=1),
            ("sleep", "infinity"): FOREVER,
            containers.ADDRESSES: Program(output=b"|-- 192.0.2.2\n/32 host LOCAL\n"),
        } | dict(programs or {})
        self.images = images or {"air-executor-runner:latest"}
        self.silent: dict[str, threading.Event] = {}
        """Images whose registry accepts and says nothing, until the event is set."""
        self.fetching: list[str] = []
        """Those that are waited for just now."""
        self.unusable_images: dict[str, str] = {}
        """Why no container can be made of them."""
        self.kept_in = Confinement(means=("seccomp (strict)",), gaps=())
        self.runs_on = Host(cpus=4)
        self.no_folders = {"/etc/passwd", "/dev/null/x", "/proc/1/x", "/sys/x"}
        """Working directories that no container can have."""
        self.no_networks = {"nobody-made-it"}
        self.facts_of: dict[str, ImageFacts] = {}
        """What images say of themselves, by their ids; nothing, where nothing stands here."""
        self.in_registry: dict[str, str] = {}
        """Ids that images have in their registries by now."""
        self.gone_from_registry: set[str] = set()
        """Images that are here, and that no registry gives."""
        self.volumes: set[str] = set()
        """Those that somebody has made."""
        self.runtimes = {None, "runc"}
        self.gpus: set[str] = set()
        """Those that it has a driver for."""
        self.image_ids: dict[str, str] = {}
        """Of images that are others than they were at first."""
        self.violations: list[ContractViolation] = []
        self.calls: list[tuple[str, str]] = []
        self.executions: list[tuple[str, str, int]] = []
        """(job, task, attempt) of every command that was begun."""
        self.handed: dict[tuple[str, str, int], dict[str, str]] = {}
        """The variables that were handed to warm containers, by what they were to execute."""
        self.restarted_at: datetime | None = None
        self.able = Capabilities(gates=None, warm=None)
        self.netguard = Program(output=containers.GUARDED, seconds=None)
        self.has_gate = True
        """Whether the runner image has one."""
        self.given: dict[str, gates.Handed] = {}
        """What gates were handed, by the name that their container had then."""
        self.old_gates = False
        """Whether the gates are of before files came with a command."""
        self.deaf_gates = 0
        """So many gates, the next that are opened, leave when they are told anything."""
        self._containers: dict[str, _Container] = {}
        self._holders: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._down: str | None = None
        self._troubles: dict[str, list[tuple[str, EngineError]]] = {}

    # --- What a test may do ------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise the first violation, if there was one."""
        if self.violations:
            raise self.violations[0]

    def go_down(self, why: str = "the container engine does not answer") -> None:
        """From now on no call is answered; what runs, runs on."""
        with self._changed:
            self._down = why
            self._changed.notify_all()

    def come_back(self) -> None:
        with self._changed:
            self._down = None

    @property
    def is_down(self) -> bool:
        """Whether no call is answered."""
        return self._down is not None

    def lose_reply(self, call: str, times: int = 1) -> None:
        """The next calls of this name take effect, and nobody is told."""
        lost = EngineUnavailable("the connection broke before the answer came")
        self._troubles.setdefault(call, []).extend([("after", lost)] * times)

    def refuse(self, call: str, error: EngineError, times: int = 1) -> None:
        """The next calls of this name take no effect and fail."""
        self._troubles.setdefault(call, []).extend([("before", error)] * times)

    def find(self, task: str, attempt: int = 1) -> Observation | None:
        """The container of a task's attempt."""
        with self._changed:
            for box in self._containers.values():
                if box.serves is not None and box.serves[1:] == (task, attempt):
                    return self._observation(box)
        return None

    @property
    def names(self) -> list[str]:
        """The containers there are."""
        with self._changed:
            return sorted(box.spec.name for box in self._containers.values())

    def runs(self, container: str) -> bool:
        """Whether its command has begun and not ended."""
        with self._changed:
            box = self._find(container)
            return box.status is Status.RUNNING and not box.gate_shut

    def say_ended(self, container: str) -> None:
        """Its gate says that its command has succeeded; but it goes on, as a task can make it do."""
        with self._changed:
            box = self._find(container)
            assert box.mouth is not None
            gates.ended(box.mouth, 0, 0)
            box.mouth = None

    def finish(self, container: str, exit_code: int = 0, output: bytes = b"") -> None:
        """Let a running container end now."""
        with self._changed:
            box = self._find(container)
            box.output += output
            self._end(box, exit_code)

    def kill(self, container: str) -> None:
        """Take a container away, as `docker rm -f` does."""
        with self._changed:
            box = self._find(container)
            self._end(box, 137)
            self._drop(box)

    def plant(self, spec: ContainerSpec, **state: object) -> str:
        """Put a container there that nobody asked for through the contract."""
        with self._changed:
            return self._make(spec, Program(), **state).id

    # --- The contract ------------------------------------------------------------------------------------

    def capabilities(self) -> Capabilities:
        return self.able

    def describe(self) -> str:
        with self._call("describe", ""):
            return "Fake 1.0"

    def host(self) -> Host:
        with self._call("host", ""):
            return self.runs_on

    def confinement(self) -> Confinement:
        with self._call("confinement", ""):
            return self.kept_in

    def image_id(self, image: str) -> str | None:
        with self._call("image_id", image):
            self._check_image(image)
            return self._image_id(image) if image in self.images else None

    def fetch(self, image: str) -> None:
        with self._call("fetch", image):
            if image in self.images:
                return
        self._wait_for_registry(image)
        if image not in self.images:
            raise ImageMissing(f"there is no image {image!r} here")

    def renew(self, image: str) -> None:
        with self._call("renew", image):
            pass
        self._wait_for_registry(image)
        if image not in self.images or image in self.gone_from_registry:
            raise ImageMissing(f"the image {image!r} can't be asked of its registry")
        self.image_ids |= {image: self.in_registry[image]} if image in self.in_registry else {}

    def image_facts(self, image_id: str) -> ImageFacts | None:
        with self._call("image_facts", image_id):
            here = {self._image_id(image) for image in self.images} | {
                box.image_id for box in self._containers.values()
            }
            return self.facts_of.get(image_id, ImageFacts() if image_id in here else None)

    def stop_fetching(self, image: str) -> None:
        with self._changed:
            self.calls.append(("stop_fetching", image))
            if image in self.fetching:
                self.fetching.remove(image)
            self._changed.notify_all()

    def _wait_for_registry(self, image: str) -> None:
        gives = self.silent.get(image)
        if gives is None:
            return
        with self._changed:
            self.fetching.append(image)
            while image in self.fetching and not gives.is_set():
                self._changed.wait(0.02)
            if image in self.fetching:
                self.fetching.remove(image)

    def create(self, spec: ContainerSpec, network: ContainerSpec | None) -> str:
        if spec.image not in self.images:
            self._wait_for_registry(spec.image)
        with self._call("create", spec.name):
            self._check_create(spec, network)
            joins = None if network is None else self._hold_network(network)
            taken = next((box for box in self._containers.values() if box.spec.name == spec.name), None)
            if taken is not None:
                if taken.spec.digest != spec.digest:
                    raise NameTaken(f"the container name {spec.name} is taken")
                return taken.id
            program = self._program(spec)
            if program.refused is not None:
                raise CommandUnusable(program.refused)
            if spec.runtime not in self.runtimes:
                raise Impossible(f"the engine has no runtime {spec.runtime!r}")
            self._check_image(spec.image)
            if spec.image not in self.images:
                raise ImageMissing(f"there is no image {spec.image!r} here")
            if spec.cpus > self.runs_on.cpus:
                raise Impossible(f"there are only {self.runs_on.cpus:g} CPUs available")
            if spec.workdir in self.no_folders:
                raise CommandUnusable(f"the working directory {spec.workdir!r} can't be used")
            for mount in spec.mounts:
                if not Path(mount.source).exists():
                    raise EngineError(f"bind source path does not exist: {mount.source}")
            for each in spec.declared:
                there = each.source in self.volumes if each.kind == "volume" else Path(each.source).is_dir()
                if each.kind == "withdrawn" or not there:
                    raise Impossible(f"the mount {each.name!r} can't be had")
            return self._make(spec, program, joins=joins).id

    def start(self, container: str) -> Observation:
        with self._call("start", container):
            box = self._find(container)
            if box.status is Status.EXITED and box.outcome_seen and not box.gate_shut:
                self._violated(f"start of {box.spec.name}, whose end was seen already")
            if box.status is Status.CREATED:
                self._check_alone(box)
                if not self._has_network(box):
                    self._forget_holder(box.joins)
                    raise NetworkEnded(f"cannot join the network of {box.joins}, which is not running")
                if box.spec.network.name in self.no_networks:
                    raise NetworkMissing(box.spec.network.name)
                if not self.gpus.issuperset(box.spec.gpus):
                    raise Impossible(f"the engine can't give it the GPUs {', '.join(box.spec.gpus)}")
                if box.program.start_fails:
                    raise CommandUnusable(box.program.start_fails)
                self._begin(box)
            return self._observation(box)

    def restarted_since(self, moment: datetime) -> bool:
        with self._call("restarted_since", ""):
            return self.restarted_at is not None and self.restarted_at > moment

    def follow(self, container: str, sink: Callable[[bytes], None]) -> bool:
        with self._call("follow", container):
            box = self._find(container)
        given = 0
        while True:
            with self._changed:
                self._alive(box)
                fresh, ended = box.output[given:], box.status is Status.EXITED
                if not fresh and not ended:
                    self._changed.wait(1)
            if fresh:
                sink(fresh)
                given += len(fresh)
            elif ended:
                return True

    def first_words(self, container: str) -> bytes:
        with self._call("first_words", container):
            box = self._find(container)
        with self._changed:
            while not box.output and box.status is not Status.EXITED:
                self._alive(box)
                self._changed.wait(1)
            return box.output

    def wait(self, container: str) -> None:
        with self._call("wait", container):
            box = self._find(container)
        with self._changed:
            while box.status is not Status.EXITED:
                self._alive(box)
                self._changed.wait(1)

    def observe(self, container: str) -> Observation:
        with self._call("observe", container):
            try:
                box = self._find(container)
            except ContainerGone:
                self._forget_holder(self._holders.get(container, container))
                raise
            box.outcome_seen = box.status is Status.EXITED
            self._review_holder(box)
            return self._observation(box)

    def signal(self, container: str, signal: str) -> None:
        with self._call("signal", container):
            box = self._find(container)
            guards = container_spec.GUARD in box.spec.labels
            own = self.facts_of.get(box.image_id, ImageFacts()).stop_signal
            if signal not in (own, "SIGKILL") and not (guards and signal == SIGN_OF_LIFE):
                self._violated(f"the signal {signal!r} is neither SIGKILL nor that of its image, {own!r}")
            if guards and signal == SIGN_OF_LIFE:
                return
            if box.status is Status.RUNNING and (signal == "SIGKILL" or not box.program.ignores_term):
                self._end(box, 128 + (number_of(signal) or 0))

    def remove(self, container: str, home_id: str) -> None:
        with self._call("remove", container):
            try:
                box = self._find(container)
            except ContainerGone:
                return
            if box.spec.labels.get(container_spec.HOME_ID) != home_id:
                return
            self._check_remove(box)
            self._forget_holder(box.id)
            self._drop(box)

    def rename(self, container: str, name: str) -> None:
        with self._call("rename", container):
            box = self._find(container)
            if any(other.spec.name == name for other in self._containers.values()):
                raise NameTaken(f"the container name {name} is taken")
            box.spec = replace(box.spec, name=name)

    def read_file(self, container: str, path: str) -> bytes | None:
        with self._call("read_file", container):
            self._find(container)
            return b"gate" if path == containers.GATE_IN_IMAGE and self.has_gate else None

    def listen(self) -> None:
        with self._call("listen", ""):
            pass
        with self._changed:
            while self._down is None:
                self._changed.wait(1)

    def containers(self, home_id: str) -> list[Observation]:
        with self._call("containers", ""):
            boxes = self._containers
            self._holders = {
                name: known
                for name, known in self._holders.items()
                if known in boxes and boxes[known].status is Status.RUNNING
            }
            return [
                replace(self._observation(box), exit_code=None, started_at=None, finished_at=None)
                for box in self._containers.values()
                if box.spec.labels.get(container_spec.HOME_ID) == home_id
            ]

    # --- What must never be asked ------------------------------------------------------------------------

    def _violated(self, words: str) -> None:
        violation = ContractViolation(words)
        self.violations.append(violation)
        raise violation

    def _check_create(self, spec: ContainerSpec, network: ContainerSpec | None) -> None:
        if not VALID_NAME.fullmatch(spec.name):
            self._violated(f"{spec.name!r} is no name for a container")
        if not spec.labels.get(container_spec.HOME_ID) or not spec.labels.get(container_spec.ROLE):
            self._violated(f"{spec.name} has no label that says whose it is")
        if spec.labels[container_spec.ROLE] == "task":
            missing = [label for label in TASK_LABELS if label not in spec.labels]
            if missing:
                self._violated(f"{spec.name} lacks the labels {missing}")
        user = spec.user.partition(":")[0]
        helps = spec.labels[container_spec.ROLE] in ("network", "probe")
        if spec.capabilities and not helps:
            self._violated(f"{spec.name} would have capabilities")
        if spec.network.kind == "host" and spec.labels[container_spec.ROLE] != "probe":
            self._violated(f"{spec.name} would have the host's network")
        if not user.isdigit() or (int(user) == 0 and not (helps and spec.capabilities)):
            self._violated(f"{spec.name} would run as {spec.user!r}: never root")
        if (spec.network.kind == "job") != (network is not None):
            self._violated(f"{spec.name}: the network container is given exactly where one is joined")
        if network is not None and network.name != spec.network.name:
            self._violated(f"{spec.name} joins {spec.network.name}, but {network.name} is given")

    def _check_alone(self, box: _Container) -> None:
        """No two attempts of one task run, nor does one run beside what is left of the one before."""
        if box.role != "task":
            return
        for other in self._containers.values():
            same = all(
                other.spec.labels.get(label) == box.spec.labels[label]
                for label in (container_spec.JOB_UID, container_spec.TASK)
            )
            if same and other is not box and other.role != "network":
                self._violated(f"{box.spec.name} would run beside {other.spec.name}")

    def _check_remove(self, box: _Container) -> None:
        if not box.task_began:
            return
        if box.status is Status.RUNNING:
            self._violated(f"removal of {box.spec.name} while it runs")
        if box.status is Status.EXITED and not box.outcome_seen:
            self._violated(f"removal of {box.spec.name}, whose outcome nobody has seen")

    def _check_image(self, image: str) -> None:
        if image in self.unusable_images:
            raise ImageUnusable(self.unusable_images[image])
        if image != image.lower():
            raise ImageUnusable(f"{image!r} is no image's name")

    # --- Inside ------------------------------------------------------------------------------------------

    @contextmanager
    def _call(self, name: str, container: str) -> Iterator[None]:
        with self._changed:
            self.calls.append((name, container))
            if self._down is not None:
                raise EngineUnavailable(self._down)
            troubles = self._troubles.get(name, [])
            when, error = troubles.pop(0) if troubles else ("never", EngineError(""))
            if when == "before":
                raise error
            yield
            if when == "after":
                raise error

    def _alive(self, box: _Container) -> None:
        if self._down is not None:
            raise EngineUnavailable(self._down)
        if box.removed:
            raise ContainerGone(f"no such container: {box.spec.name}")

    def _program(self, spec: ContainerSpec) -> Program:
        if container_spec.GATED in spec.labels:
            return FOREVER  # until it is handed its command
        return self._program_of(self._words(spec))

    def _words(self, spec: ContainerSpec) -> Command:
        if not spec.runs_the_images:
            return spec.command
        facts = self.facts_of.get(self._image_id(spec.image), ImageFacts())
        try:
            check_words(spec.command, spec.image, facts)
        except ValueError as error:
            raise CommandUnusable(str(error)) from None
        return words(spec.command, facts.entrypoint, facts.command)

    def _program_of(self, command: Command) -> Program:
        if command in self.programs:
            return self.programs[command]
        if command[0] == containers.NETGUARD_IN_IMAGE:
            return self.netguard
        if command[0] == "echo":
            return Program(output=" ".join(command[1:]).encode() + b"\n")
        if command[:2] == ("test", "-f"):
            return Program(looks_for=Path(command[2]).name)
        raise AssertionError(f"the test's table has no program for {command}")

    def _make(self, spec: ContainerSpec, program: Program, **state: object) -> _Container:
        number = next(self._numbers)
        box = _Container(spec, f"{number:064x}", utc_now(), program, image_id=self._image_id(spec.image))
        labels = spec.labels
        if box.role == "task" and labels.keys() >= set(TASK_LABELS):
            attempt = int(labels[container_spec.ATTEMPT])
            box.serves = (labels[container_spec.JOB], labels[container_spec.TASK], attempt)
        for mount in spec.mounts:
            with suppress(OSError):  # the gate's program is a file; what was planted may mount nothing
                box.folders[mount.target] = os.open(mount.source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        for name, value in state.items():
            setattr(box, name, value)
        self._containers[box.id] = box
        return box

    def _hold_network(self, spec: ContainerSpec) -> str:
        """Remembered, so that it may have ended by the time that it is joined."""
        if spec.name in self._holders:
            return self._holders[spec.name]
        for box in list(self._containers.values()):
            if box.spec.name == spec.name and box.status is Status.EXITED:
                self._drop(box)
        if not any(box.spec.name == spec.name for box in self._containers.values()):
            self._begin(self._make(spec, FOREVER))
        holder = next(box for box in self._containers.values() if box.spec.name == spec.name)
        self._holders[spec.name] = holder.id
        return holder.id

    def _review_holder(self, box: _Container) -> None:
        """What was seen to be another one by now, or to have ended, is not joined again."""
        known = self._holders.get(box.spec.name)
        if known is not None and (known != box.id or box.status is not Status.RUNNING):
            self._forget_holder(known)

    def _forget_holder(self, container: str | None) -> None:
        self._holders = {name: known for name, known in self._holders.items() if known != container}

    def _has_network(self, box: _Container) -> bool:
        """It joins the network of another container by that one's id: what replaces that is not meant."""
        holder = self._containers.get(box.joins or "")
        return box.joins is None or (holder is not None and holder.status is Status.RUNNING)

    def _begin(self, box: _Container) -> None:
        box.status, box.started_at = Status.RUNNING, utc_now()
        if container_spec.GATED in box.spec.labels:
            box.gate_shut = True
            threading.Thread(target=self._wait_at_gate, args=[box], daemon=True).start()
        else:
            self._execute(box)

    def _wait_at_gate(self, box: _Container) -> None:
        try:
            token, mouth = gates.token(box.spec), gates.mouth(box.spec)
        except FileNotFoundError:  # they went with the container, before this thread had its turn
            assert box.removed
            return
        handed = gates.wait(box.spec, lambda: box.status is not Status.RUNNING or box.removed)
        with self._changed:
            if box.status is not Status.RUNNING or box.removed:
                os.close(mouth)
                return
            box.mouth = mouth
            if handed is None or self.deaf_gates > 0:
                self.deaf_gates -= 1
                gates.never(box.spec, token, "short")
                self._end(box, 75)
                return
            if not handed.fits(box.folder):
                gates.never(box.spec, token, "mounts")
                self._end(box, 75)
                return
            if handed.files and (self.old_gates or box.spec.secrets_bytes is None):
                gates.never(box.spec, token, "malformed" if self.old_gates else "files")
                self._end(box, 75)
                return
            self.given[box.spec.name] = handed
            box.program = self._program_of(handed.argv)
            box.gate_shut = False
            if box.role == "warm":
                self._serve(box, handed.env)
            if box.program.unusable or box.program.start_fails:
                gates.unusable(box.spec, handed.nonce)
                self._end(box, 127)
                return
            self._execute(box)
            gates.began(box.spec, handed.nonce)  # who reads that finds the command executed

    def _serve(self, box: _Container, env: Mapping[str, str]) -> None:
        """The warm container is told for which task it was made, as far as that can be told from inside."""
        job, task = env["AIR_EXECUTOR_JOB"], env["AIR_EXECUTOR_TASK"]
        for other in self._containers.values():
            beside = other.serves is not None and other.serves[:2] == (job, task)
            if beside and other.task_began and other.status is Status.RUNNING:
                self._violated(f"{box.spec.name} would run beside {other.spec.name}")
        box.serves = (job, task, int(env["AIR_EXECUTOR_ATTEMPT"]))
        self.handed[box.serves] = dict(env)

    def _execute(self, box: _Container) -> None:
        if box.serves is not None:
            self.executions.append(box.serves)
        program = box.program
        if program.unusable:
            box.unusable = program.unusable
            self._end(box, 127)
        elif program.seconds is not None and program.seconds <= 0:
            self._run_out(box)
        elif program.seconds is not None:
            box.output += program.output
            timer = threading.Timer(program.seconds, self._run_out, [box])
            timer.daemon = True
            timer.start()
        else:
            box.output += program.output
        self._changed.notify_all()

    def _run_out(self, box: _Container) -> None:
        with self._changed:
            if box.status is Status.RUNNING:
                for name, content in box.program.drops.items():
                    inbox = box.folder(containers.INBOX)
                    (inbox / "tmp" / name).write_text(content)
                    (inbox / "tmp" / name).rename(inbox / "new" / name)
                if box.program.result is not None:
                    left = box.folder(containers.INBOX) / layout.RESULT / layout.RESULT_FILE
                    left.write_text(box.program.result)
                for name, content in box.program.writes.items():
                    (box.folder(containers.WORK) / name).write_text(content)
                box.output = box.output or box.program.output
                box.oom_killed = box.program.oom
                sought = box.program.looks_for
                found = sought is None or (box.folder(containers.WORK) / sought).is_file()
                self._end(box, box.program.exit_code if found else 1, box.program.signal)

    def _end(self, box: _Container, exit_code: int, signal: int | None = None) -> None:
        if box.status is not Status.EXITED:
            now = utc_now()
            box.started_at = box.started_at or now
            box.status, box.exit_code, box.finished_at = Status.EXITED, exit_code, now
            if box.mouth is not None:
                gates.ended(box.mouth, exit_code, max(0, exit_code - 128) if signal is None else signal)
                box.mouth = None
        self._changed.notify_all()

    def _drop(self, box: _Container) -> None:
        box.removed = True
        del self._containers[box.id]
        for handle in box.folders.values():
            os.close(handle)
        box.folders.clear()
        self._changed.notify_all()

    def _image_id(self, image: str) -> str:
        return self.image_ids.get(image, f"sha256:{image}")

    def _find(self, container: str) -> _Container:
        for box in self._containers.values():
            if container in (box.id, box.spec.name):
                return box
        raise ContainerGone(f"no such container: {container}")

    def _observation(self, box: _Container) -> Observation:
        return Observation(
            id=box.id,
            name=box.spec.name,
            labels=box.spec.labels | {container_spec.DIGEST: box.spec.digest},
            status=box.status,
            image_id=box.image_id,
            created_at=box.created_at,
            started_at=box.started_at,
            finished_at=box.finished_at,
            exit_code=box.exit_code,
            oom_killed=box.oom_killed,
            unusable_command=box.unusable,
        )


class NotingEngine(FakeEngine):
    """Remembers what it was asked to create."""

    def __init__(self, programs: Mapping[Command, Program]) -> None:
        super().__init__(programs)
        self.specs: list[ContainerSpec] = []

    def create(self, spec: ContainerSpec, network: ContainerSpec | None) -> str:
        self.specs.append(spec)
        return super().create(spec, network)
