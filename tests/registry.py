"""A registry of the test's own, with one image: as slow, or as broken, as the test wants.

It listens on 127.0.0.1 without TLS, which every Docker Engine accepts from there. An engine on another
machine would not find it.
"""

import gzip
import hashlib
import io
import json
import secrets
import subprocess
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

CHUNK = 64 << 10
TYPES = "application/vnd.docker."
MANIFEST = f"{TYPES}distribution.manifest.v2+json"
CONFIG = f"{TYPES}container.image.v1+json"
LAYER = f"{TYPES}image.rootfs.diff.tar.gzip"


def filler(size: int) -> bytes:
    """Bytes that no other image has, and that no compression makes fewer."""
    return secrets.token_bytes(size)


class Registry:
    """Serves `image`; the content of each layer is given as files by their paths."""

    def __init__(self, *layers: Mapping[str, bytes]) -> None:
        self.pace = float("inf")
        """Bytes per second of a layer."""
        self.gives = True
        """Whether it has the image, as far as it says."""
        self.unwanted = False
        """Whether the engine went away before it had all of something."""
        self.asked: Counter[str] = Counter()
        """How often each kind of thing was given: `manifests`, `blobs`."""
        self.visits = 0
        """Requests of any kind."""
        self._closed = False
        self._flowing = threading.Event()
        self._flowing.set()
        self._blobs: dict[str, bytes] = {}
        self._manifest = self._build([_archive(layer) for layer in layers])
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Visit)
        cast(Any, self._server).registry = self
        self._server.daemon_threads = True
        self._name = f"airx-test-{secrets.token_hex(6)}"
        threading.Thread(target=self._server.serve_forever, name="registry", daemon=True).start()

    @property
    def image(self) -> str:
        """What a task names."""
        return f"127.0.0.1:{self._server.server_address[1]}/{self._name}:latest"

    def hang(self) -> None:
        """Say nothing any more, until it is closed."""
        self._flowing.clear()

    def damage(self) -> None:
        """Layers, from now on, are not what the manifest says."""
        self._blobs = {
            digest: blob if blob.startswith(b"{") else blob[::-1] for digest, blob in self._blobs.items()
        }

    def close(self) -> None:
        """Whoever waits for an answer gets none."""
        self._closed = True
        self._flowing.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """The media type and the content; None where there is no such thing."""
        self._flowing.wait()
        kind, _, wanted = path.removeprefix(f"/v2/{self._name}/").partition("/")
        if path == "/v2/":
            return "application/json", b"{}"
        if not self.gives or kind not in ("manifests", "blobs"):
            return None
        if kind == "manifests":
            return MANIFEST, self._manifest
        return "application/octet-stream", self._blobs[wanted]

    def portions(self, content: bytes) -> Iterator[bytes]:
        """The content at the registry's pace."""
        began = time.monotonic()
        for start in range(0, len(content), CHUNK):
            time.sleep(max(0.0, began + start / self.pace - time.monotonic()))
            self._flowing.wait()
            if self._closed:
                return
            yield content[start : start + CHUNK]

    def _build(self, archives: list[bytes]) -> bytes:
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/none"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(archive) for archive in archives]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._keep(CONFIG, json.dumps(config).encode()),
            "layers": [self._keep(LAYER, gzip.compress(archive, 1)) for archive in archives],
        }
        return json.dumps(manifest).encode()

    def _keep(self, media_type: str, blob: bytes) -> dict[str, Any]:
        self._blobs[_digest(blob)] = blob
        return {"mediaType": media_type, "size": len(blob), "digest": _digest(blob)}


class _Visit(BaseHTTPRequestHandler):
    """One connection of the engine's."""

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        registry = self._registry
        for portion in registry.portions(self._head()):
            try:
                self.wfile.write(portion)
            except OSError:
                registry.unwanted = True
                return
        registry.asked[self._kind] += 1

    def _head(self) -> bytes:
        """Send the headers; the body that belongs to them."""
        self._registry.visits += 1
        found = self._registry.answer(self.path)
        media_type, body = found or ("application/json", b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", _digest(body))
        self.end_headers()
        return body

    @property
    def _registry(self) -> Registry:
        return cast(Registry, cast(Any, self.server).registry)

    @property
    def _kind(self) -> str:
        return self.path.split("/")[-2]

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def registry(*layers: Mapping[str, bytes]) -> Iterator[Registry]:
    """At the end neither the registry nor its image is there."""
    made = Registry(*layers)
    try:
        yield made
    finally:
        made.close()
        subprocess.run(["docker", "rmi", "--force", made.image], capture_output=True, check=False)


def _archive(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
