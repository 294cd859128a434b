"""What a test of the contract works with: an engine, a home of its own, and a job's folder."""

import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from manager.core import policy
from manager.engine.connect import connect
from manager.engine.contract import Engine, EngineUnavailable, Observation, Status
from manager.gates import gate_folder, protocol
from manager.model import containers
from manager.model.container_spec import ContainerSpec, Network
from manager.model.home import GateFolder, Home
from manager.model.values import AttemptKey, Owner
from manager.settings import Settings
from tests.fakes.engine import FakeEngine, Program
from tests.waiting import until

TASK_UID = 65534
UID = "c0ffee00" * 4


def sh(text: str) -> tuple[str, ...]:
    return "sh", "-c", text


EXIT_3 = sh("exit 3")
EXIT_127 = sh("exit 127")
EXIT_126 = sh("exit 126")
SAY = sh("echo one; echo two >&2; echo three")
FLOOD = sh("seq 1 50000")
SLOWLY = sh("echo begun; sleep 0.5; echo ended")
FOREVER = sh("echo begun; exec sleep 3600")
IGNORES_TERM = (
    "python3",
    "-uc",
    "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('begun')\ntime.sleep(3600)",
)
MARKS = sh("echo begun >> mark")
HOG = ("python3", "-c", "x = []\nwhile True: x.append(b'x' * (1 << 20))")
TOO_LONG = ("echo", "x" * (128 << 10))
MISSING = ("no-such-command", "x")
NOT_EXECUTABLE = ("./data",)

PROGRAMS = {
    EXIT_3: Program(exit_code=3),
    EXIT_127: Program(exit_code=127),
    EXIT_126: Program(exit_code=126),
    SAY: Program(output=b"one\ntwo\nthree\n"),
    FLOOD: Program(output=b"".join(b"%d\n" % number for number in range(1, 50001))),
    SLOWLY: Program(output=b"begun\nended\n", seconds=0.3),
    FOREVER: Program(output=b"begun\n", seconds=None),
    IGNORES_TERM: Program(output=b"begun\n", seconds=None, ignores_term=True),
    MARKS: Program(writes={"mark": "begun\n"}),
    HOG: Program(exit_code=137, oom=True),
    TOO_LONG: Program(refused="argument 1 is 131,072 bytes long, and 131,071 are the most"),
    MISSING: Program(unusable="there is no command 'no-such-command' in the image"),
    NOT_EXECUTABLE: Program(unusable="the command './data' is not executable"),
}


@dataclass(frozen=True)
class Gated:
    """A container that is to wait at a gate, and the gate's two folders."""

    spec: ContainerSpec
    command: tuple[str, ...]
    id: str
    folder: GateFolder

    def hand_over(self, nonce: str = "nonce", *files: protocol.HandedFile) -> bool:
        """Whether somebody took the command, as soon as somebody waits for it."""
        content = protocol.frame(nonce, "", self.command, {}, files=files)
        fifo = self.folder.fifo
        deadline = time.monotonic() + 10
        while (taken := gate_folder.open_gate(fifo, content)) is None and time.monotonic() < deadline:
            time.sleep(0.005)
        return bool(taken)

    @property
    def receipt(self) -> protocol.Receipt | None:
        return gate_folder.read_receipt(self.folder.receipt)


@dataclass
class Bench:
    engine: Engine
    home: Home
    folder: Path
    settings: Settings
    numbers: int = 0

    @property
    def real(self) -> bool:
        return not isinstance(self.engine, FakeEngine)

    def prepare(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.work, TASK_UID, TASK_UID)

    @property
    def work(self) -> Path:
        """What its containers mount as `/work`."""
        return self.folder / "work"

    def spec(self, command: tuple[str, ...] = ("true",), task: str = "", **change: Any) -> ContainerSpec:
        """A task's container; each has a name of its own unless `task` says whose it is."""
        from air_executor.format.models import Task

        self.numbers += 1
        network = change.pop("network", Network("none"))
        key = AttemptKey(UID, task or f"t{self.numbers}", 1, 1)
        fields = Task(id=key.task, command=command[0], args=command[1:], network="none")
        owner = Owner(os.geteuid(), os.getegid())
        grant = policy.grant(fields, owner, "", self.settings)
        name = containers.container_name(self.home.id, self.folder.name, key)
        gate_folder.prepare_inbox(self.home.gate(name), Owner.parse(grant.user))
        made = containers.task_container(self.folder.name, fields, key, name, grant, self.work, self.home)
        return replace(made, network=network, **change)

    def create(self, command: tuple[str, ...] = ("true",), **change: Any) -> Observation:
        return self.engine.observe(self.engine.create(self.spec(command, **change), None))

    def run(self, command: tuple[str, ...] = ("true",), **change: Any) -> Observation:
        """Create and start; the observation is the one that `start` gave."""
        return self.engine.start(self.create(command, **change).id)

    def ended(self, command: tuple[str, ...] = ("true",), **change: Any) -> Observation:
        """Run to the end and look."""
        made = self.run(command, **change)
        self.engine.wait(made.id)
        return self.engine.observe(made.id)

    def gated(self, command: tuple[str, ...] = ("true",), **change: Any) -> Gated:
        """Created, to wait at its gate for the command."""
        self.keep_gate()
        spec = containers.gated(self.spec(command, **change), self.home)
        folder = self.home.gate(spec.name)
        uid, _, gid = spec.user.partition(":")
        gate_folder.prepare(folder.control, folder.receipt, Owner(int(uid), int(gid)))
        return Gated(spec, command, self.engine.create(spec, None), folder)

    def waiting(self, command: tuple[str, ...] = ("true",), **change: Any) -> Gated:
        """It waits at its gate, or is about to."""
        made = self.gated(command, **change)
        assert self.engine.start(made.id).status is Status.RUNNING
        return made

    def opened(self, command: tuple[str, ...] = ("true",), **change: Any) -> Gated:
        """Its gate was opened, and has said what it did."""
        made = self.waiting(command, **change)
        until(made.hand_over, 60)
        until(lambda: made.receipt, 60)
        return made

    def keep_gate(self) -> None:
        """Take the gate from the runner image, once."""
        program = self.home.gate_program
        if program.exists():
            return
        made = self.create()
        content = self.engine.read_file(made.id, containers.GATE_IN_IMAGE)
        self.engine.remove(made.id, self.home.id)
        assert content is not None, "the runner image has no gate"
        program.parent.mkdir(parents=True)
        program.write_bytes(content)
        program.chmod(0o755)

    def output(self, container: str) -> bytes:
        chunks: list[bytes] = []
        self.engine.follow(container, chunks.append)
        return b"".join(chunks)

    def until_it_says(self, container: str, words: bytes) -> None:
        """Wait until the container's output has these words."""
        heard: list[bytes] = []

        def listen() -> None:
            try:
                self.engine.follow(container, heard.append)
            except EngineUnavailable:
                return

        threading.Thread(target=listen, daemon=True).start()
        until(lambda: words in b"".join(heard), 20)

    def take_away(self, container: str) -> None:
        """As somebody else does: this engine is not asked."""
        if isinstance(self.engine, FakeEngine):
            self.engine.kill(container)
        else:
            connect(self.settings).remove(container, self.home.id)

    def network(self, uid: str = UID) -> ContainerSpec:
        name = containers.network_name(self.home.id, self.folder.name, uid)
        return containers.network_container(name, self.folder.name, uid, self.home, self.settings)

    def joined(self, command: tuple[str, ...], **change: Any) -> Observation:
        """Started, in the network of the job."""
        return self.engine.start(self.prepared(command, **change))

    def prepared(self, command: tuple[str, ...], **change: Any) -> str:
        """Created, to run in the network of the job."""
        holder = self.network()
        spec = self.spec(command, network=Network("job", holder.name), **change)
        return self.engine.create(spec, holder)

    def status(self, container: str) -> Status:
        return self.engine.observe(container).status
