"""What can be done with this engine on this host: found out by doing it."""

import os
import secrets
import shutil
import time
from dataclasses import replace

from air_executor.format.secrets import FOLDER
from manager.engine.contract import Engine, EngineError, Status
from manager.gates import gate_folder, protocol
from manager.gates.protocol import HandedFile
from manager.model import containers
from manager.model.container_spec import ContainerSpec
from manager.model.home import GateFolder, Home
from manager.model.values import Capabilities, Owner
from manager.settings import Settings

GATE_LIMIT = 10.0
"""Seconds within which a container that was started waits at its gate, and answers when that is opened."""
LOOK = 0.01


class Probe:
    """Uses containers that are made for that and removed again. Not safe for several threads."""

    def __init__(self, engine: Engine, home: Home, settings: Settings) -> None:
        self._engine = engine
        self._home = home
        self._settings = settings
        self._ends: list[int] = []
        """Descriptors through which the gate that is tried tells that its command has ended."""
        self._malformed = False
        """Whether a gate took what it was told for no frame: one of before files came with a command."""

    def folders(self) -> None:
        """Have a container look for a file that was made just now. Raises EngineError when it sees none.

        The runner image's gate is kept for other containers, where it has one.
        """
        nonce = secrets.token_hex(6)
        folder = self._home.probe
        folder.mkdir(exist_ok=True)
        spec = containers.probe_container(folder, nonce, self._home, self._settings)
        (folder / nonce).touch()
        try:
            self._engine.create(spec, None)
            if self._run(spec) != 0:
                raise EngineError(
                    f"the engine does not see {folder} where the manager sees it: run the manager on the "
                    "engine's own host, or in one of its containers with the home folder mounted"
                )
            self._keep_gate(spec)
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # with what a killed manager left of its probe
            self._engine.remove(spec.name, self._home.id)

    def capabilities(self) -> Capabilities:
        """What can be done here; what the engine says it can't do on any host stands. Raises EngineError."""
        able = self._engine.capabilities()
        if able.gates is not None:
            return Capabilities.without_gates(able.gates)
        if not self._home.gate_program.exists():
            image = self._settings.runner_image
            return Capabilities.without_gates(f"the image {image} has no {containers.GATE_IN_IMAGE}")
        tried = self._try_gate((HandedFile(f"{FOLDER}/probe", b"probe"),))
        if tried.gates is not None and self._malformed:
            image = self._settings.runner_image
            why = f"the gate of {image} is of before there were secrets; build or pull that image anew"
            tried = replace(self._try_gate(()), secrets=why)
        return tried if able.warm is None else replace(tried, warm=able.warm)

    def _try_gate(self, files: tuple[HandedFile, ...]) -> Capabilities:
        """Have a container wait at a gate, put a file into the folder that it mounts, and open the gate."""
        name = f"{containers.PREFIX}-probe-{secrets.token_hex(6)}"
        gate = self._home.gate(name)
        uid = self._settings.task_uid
        mounted = self._home.probe / name
        try:
            gate_folder.prepare(gate.control, gate.receipt, Owner(uid, uid))
            mounted.mkdir(parents=True)
            spec = containers.gate_probe_container(mounted, name, self._home, self._settings)
            self._engine.create(spec, None)
            self._engine.start(name)
            (mounted / "seen").touch()
            command = ("test", "-f", f"{containers.WORK}/seen")
            seen = gate_folder.mounted(containers.WORK, mounted)
            problem = self._pass(name, gate, protocol.frame("probe", "", command, {}, (seen,), files))
            if problem is None and self._engine.observe(name).exit_code:
                problem = f"a container that waited does not see what was put into {mounted}"
            return Capabilities(gates=problem, warm=problem)
        except OSError as error:
            return Capabilities.without_gates(str(error))
        finally:
            try:
                self._engine.remove(name, self._home.id)
            finally:
                while self._ends:
                    os.close(self._ends.pop())
                for rest in (gate.path, self._home.probe):
                    shutil.rmtree(rest, ignore_errors=True)

    def _run(self, spec: ContainerSpec) -> int | None:
        self._engine.start(spec.name)
        self._engine.wait(spec.name)
        return self._engine.observe(spec.name).exit_code

    def _keep_gate(self, spec: ContainerSpec) -> None:
        """Keep the gate of the container's image, where it is another one than that which is kept.

        It is put in place by renaming: containers that wait have the file before it mounted.
        """
        program = self._engine.read_file(spec.name, containers.GATE_IN_IMAGE)
        place = self._home.gate_program
        if program is None or (place.exists() and place.read_bytes() == program):
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        place.parent.parent.chmod(0o700)  # what tasks are handed, is nobody else's business
        aside = place.with_name(".gate")
        aside.write_bytes(program)
        aside.chmod(0o755)
        aside.replace(place)

    def _see_the_end(self, name: str, deadline: float) -> str | None:
        while self._engine.observe(name).status is Status.RUNNING:
            if time.monotonic() > deadline:
                return "a gate was opened, and its container did not end"
            time.sleep(LOOK)
        return None if self._told_its_end() else "its gate, of another version, does not tell of ends"

    def _told_its_end(self) -> bool:
        try:
            return any(
                protocol.parse_end(os.read(handle, gate_folder.MAX_END_BYTES)) for handle in self._ends
            )
        except BlockingIOError:
            return False

    def _pass(self, name: str, gate: GateFolder, content: bytes) -> str | None:
        """Why the gate does not say that it has begun, and that it has ended; None when it does."""
        deadline = time.monotonic() + GATE_LIMIT
        handed_over = None
        while time.monotonic() < deadline:
            if not handed_over:
                handed_over = gate_folder.open_gate(gate.fifo, content, take_end=self._ends.append)
            receipt = gate_folder.read_receipt(gate.receipt)
            if isinstance(receipt, protocol.Began):
                return self._see_the_end(name, deadline)
            if receipt is not None:
                self._malformed = isinstance(receipt, protocol.Never) and receipt.reason == "malformed"
                return f"a gate said {receipt}"
            time.sleep(LOOK)
        return "a gate was opened and did not answer" if handed_over else "nobody waited at a gate"
