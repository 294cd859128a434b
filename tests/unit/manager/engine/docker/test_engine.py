"""What an engine does that no real one does when asked to: one of the test's own, behind a socket."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import pytest

from manager.engine.contract import ImageMissing
from manager.engine.docker import engine as module
from manager.engine.docker.engine import DockerEngine
from manager.engine.docker.logins import Logins
from manager.engine.registries import Registries


class Visit(BaseHTTPRequestHandler):
    """Has no image, and says nothing of a pull."""

    protocol_version = "HTTP/1.1"
    over = threading.Event()

    def do_GET(self) -> None:
        if "version" in self.path:
            self._answer(200, b'{"MinAPIVersion": "1.24"}')
        else:
            self._answer(404, b'{"message": "no such image"}')

    def do_POST(self) -> None:
        self.over.wait(20)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "test"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def silent_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerEngine]:
    Visit.over = threading.Event()
    with ThreadingUnixStreamServer(str(tmp_path / "s"), Visit) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 's'}")
        yield DockerEngine(
            5, True, Registries(("*",), "runner"), lambda pull: None, "strict", 1024, True, Logins(None)
        )
        Visit.over.set()
        server.shutdown()


def test_an_engine_that_says_nothing_of_a_pull_for_long_is_no_engine_that_is_away(
    silent_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "A_SILENCE", 1.0)
    with pytest.raises(ImageMissing, match="it can't be pulled: nothing was heard of it for 1 s"):
        silent_engine.fetch("debian:12")
