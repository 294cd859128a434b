"""Docker's own registry, as Debian packages it, with a password: on 127.0.0.1, without TLS."""

import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.real_manager import docker
from tests.waiting import until

TOOLS = Path(__file__).parents[1] / ".tools"
USER = "somebody-of-the-test"
PASSWORD = "correct-horse-of-the-test"
HTPASSWD = "$2b$04$gkxMEUy58rglfqO4O5Mfr.ne58SpXxWHO2l.LrI/gSeK8Mm7KqKpu"
"""Of that, by bcrypt with the fewest rounds."""


class PasswordRegistry:
    """Where nobody gets anything without the password."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.image = f"{self.host}/airx-test-{secrets.token_hex(6)}:latest"

    def answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://{self.host}/v2/", timeout=5)
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False
        raise AssertionError("it asks for no password")

    def push(self, docker_client: Any, made: str) -> str:
        """This image of the engine's becomes the registry's; its name there, by digest."""
        docker("tag", made, self.image)
        login = {"username": USER, "password": PASSWORD}
        said = docker_client.api.push(self.image, auth_config=login, stream=True, decode=True)
        digest = next(each["aux"]["Digest"] for each in list(said) if "aux" in each)
        docker("rmi", self.image)
        return f"{self.image.rpartition(':')[0]}@{digest}"

    def config(self, password: str = PASSWORD) -> dict[str, Any]:
        """What `docker login` writes."""
        return {"auths": {self.host: {"auth": base64.b64encode(f"{USER}:{password}".encode()).decode()}}}


@contextmanager
def password_registry() -> Iterator[PasswordRegistry]:
    """At the end nothing of it is left. Skips where it can't be had."""
    program = _program()
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="airx-registry-") as name:
        folder = Path(name)
        (folder / "htpasswd").write_text(f"{USER}:{HTPASSWD}\n")
        (folder / "config.json").write_text(json.dumps(_rules(folder, port)))
        process = subprocess.Popen(
            [program, "serve", folder / "config.json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        registry = PasswordRegistry(port)
        try:
            until(registry.answers, 20)
            yield registry
        finally:
            process.kill()
            process.wait()
            subprocess.run(["docker", "rmi", "--force", registry.image], capture_output=True, check=False)


def _rules(folder: Path, port: int) -> dict[str, Any]:
    """JSON is YAML."""
    return {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
        "http": {"addr": f"127.0.0.1:{port}"},
        "auth": {"htpasswd": {"realm": "airx-test", "path": str(folder / "htpasswd")}},
    }


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _program() -> str:
    """That of this machine; else the one in Debian's package, which is not installed."""
    cached = TOOLS / "docker-registry" / "usr" / "bin" / "docker-registry"
    found = shutil.which("docker-registry") or (str(cached) if cached.exists() else None)
    if found is not None:
        return found
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None or os.geteuid() != 0:
        pytest.skip("there is no docker-registry here, and without root and apt it can't be had")
    with tempfile.TemporaryDirectory(prefix="airx-registry-") as folder:
        download = ["apt-get", "-qq", "download", "docker-registry"]
        if subprocess.run(download, cwd=folder, capture_output=True, check=False).returncode:
            subprocess.run(["apt-get", "-qq", "update"], capture_output=True, check=False)
            subprocess.run(download, cwd=folder, capture_output=True, check=False)
        packages = list(Path(folder).glob("docker-registry_*.deb"))
        if not packages:
            pytest.skip("Debian's package docker-registry can't be had here")
        unpacked = Path(folder) / "unpacked"
        subprocess.run(["dpkg-deb", "-x", packages[0], unpacked], check=True)
        cached.parents[2].parent.mkdir(exist_ok=True)
        shutil.rmtree(cached.parents[2], ignore_errors=True)
        shutil.move(unpacked, cached.parents[2])
    return str(cached)
