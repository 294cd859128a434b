"""A door between the manager and the engine: a socket that passes everything on, until a test says otherwise.

Through it an engine can be away, hang, break its connections, or lose a reply at the very call that a test
names, without touching the engine that others use as well.
"""

import os
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ENGINE = "/var/run/docker.sock"
TASK = rb"airx-%s-"


def engine_socket() -> str:
    """Where the real engine listens; only a UNIX socket can be stood in front of."""
    return os.environ.get("DOCKER_HOST", f"unix://{ENGINE}").removeprefix("unix://")


@dataclass
class Trap:
    """What happens at a call whose request matches, once."""

    request: re.Pattern[bytes]
    spring: Callable[[], None]
    after: bool
    """After the engine has done it, and before the manager knows; else before the engine hears of it."""
    sprung: threading.Event = field(default_factory=threading.Event)


class EngineProxy:
    """Listens at `address`; give the manager that as DOCKER_HOST."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "engine.sock"
        self.address = f"unix://{self._path}"
        self._engine = engine_socket()
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._traps: list[Trap] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()

    def open(self) -> None:
        """The engine is there."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._path))
        listener.listen(128)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """The engine is gone: no connection is left, and none can be made."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
            self._path.unlink(missing_ok=True)
        self.cut()

    def cut(self) -> None:
        """Every connection breaks now; new ones can be made."""
        with self._lock:
            broken, self._connections = self._connections, set()
        for connection in broken:
            _close(connection)

    def hang(self) -> None:
        """Connections are taken and stay open, and nothing comes back."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def before(self, request: bytes, spring: Callable[[], None]) -> Trap:
        """At the next call that matches, which the engine never hears of."""
        return self._set(Trap(re.compile(request), spring, after=False))

    def after(self, request: bytes, spring: Callable[[], None]) -> Trap:
        """At the next call that matches, when the engine has answered; the answer is lost."""
        return self._set(Trap(re.compile(request), spring, after=True))

    def _set(self, trap: Trap) -> Trap:
        with self._lock:
            self._traps.append(trap)
        return trap

    # --- In the threads ----------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                manager, _ = listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(self._engine)
            with self._lock:
                self._connections |= {manager, engine}
            armed: list[Trap] = []
            threading.Thread(target=self._ask, args=(manager, engine, armed), daemon=True).start()
            threading.Thread(target=self._answer, args=(engine, manager, armed), daemon=True).start()

    def _ask(self, manager: socket.socket, engine: socket.socket, armed: list[Trap]) -> None:
        with suppress(OSError):
            while data := manager.recv(1 << 16):
                self._flowing.wait()
                trap = self._sprung_by(data)
                if trap is not None and not trap.after:
                    trap.spring()
                    trap.sprung.set()
                    break
                if trap is not None:
                    armed.append(trap)
                engine.sendall(data)
        self._part(manager, engine)

    def _answer(self, engine: socket.socket, manager: socket.socket, armed: list[Trap]) -> None:
        with suppress(OSError):
            while data := engine.recv(1 << 16):
                self._flowing.wait()
                if armed:
                    armed[0].spring()
                    armed[0].sprung.set()
                    break
                manager.sendall(data)
        self._part(manager, engine)

    def _sprung_by(self, data: bytes) -> Trap | None:
        with self._lock:
            for trap in self._traps:
                if trap.request.match(data):
                    self._traps.remove(trap)
                    return trap
        return None

    def _part(self, *connections: socket.socket) -> None:
        with self._lock:
            self._connections -= set(connections)
        for connection in connections:
            _close(connection)


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
