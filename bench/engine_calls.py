"""A door between a manager and the engine that counts what is asked."""

import os
import re
import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from bench.failed import BenchFailed

ENGINE = "unix:///var/run/docker.sock"
REQUEST = re.compile(rb"([A-Z]+) (?:/v[0-9.]+)?(/[^ ?]*)[^ ]* HTTP/1\.[01]\r\n")
"""The first line of a call: the method, and the path without the API's version."""
EVENTS = "GET /events"
"""The stream by which the engine tells what happens."""


class EngineCalls:
    """Passes everything on; give a manager `address` as DOCKER_HOST. A context manager."""

    def __init__(self, folder: Path) -> None:
        """The socket is made in `folder`. Raises BenchFailed where the engine has none of that kind."""
        engine = os.environ.get("DOCKER_HOST", ENGINE)
        if not engine.startswith("unix://"):
            raise BenchFailed("an engine can be stood in front of only where it has a UNIX socket")
        self._engine = engine.removeprefix("unix://")
        self._path = folder / "engine.sock"
        self.address = f"unix://{self._path}"
        self.seen: list[str] = []
        """Method and path of each call."""
        self._listener = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> "EngineCalls":
        self._listener.bind(str(self._path))
        self._listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        _close(self._listener)

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                manager, _ = self._listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(self._engine)
                threading.Thread(target=self._ask, args=(manager, engine), daemon=True).start()
                threading.Thread(target=_pass_on, args=(engine, manager), daemon=True).start()

    def _ask(self, manager: socket.socket, engine: socket.socket) -> None:
        """A client waits for an answer before it asks again, so each call begins what is received."""
        with suppress(OSError):
            while data := manager.recv(1 << 16):
                if call := call_in(data):
                    self.seen.append(call)
                engine.sendall(data)
        _close(manager, engine)


def call_in(data: bytes) -> str | None:
    """Method and path of the call that `data` begins with, if it does."""
    found = REQUEST.match(data)
    return f"{found[1].decode()} {found[2].decode()}" if found else None


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    _close(source, target)


def _close(*connections: socket.socket) -> None:
    for connection in connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
