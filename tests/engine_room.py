"""The real engine, as the tests see it: by its own client, beside the manager's."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import docker
import pytest
from docker.errors import DockerException, NotFound

from manager.model.container_spec import HOME_ID

RUNNER = "air-executor-runner:latest"
BARE_COMMAND = ("/ldconfig", "--version")
BARE_WORDS = "ldconfig ("
"""What the one program of the bare image says first."""


def client() -> Any:
    """Docker's own client; skips the test where there is no engine, fails it where CI is set."""
    try:
        found = docker.from_env(timeout=60)
        found.ping()
        found.images.get(RUNNER)
    except (DockerException, NotFound) as error:
        reason = f"no engine with the image {RUNNER} answers (`make setup` gets both): {error}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def fresh_home_id() -> str:
    """The identity of a home folder that no other test has."""
    return f"test-{secrets.token_hex(8)}"


def containers(docker_client: Any, home_id: str) -> list[Any]:
    """Every container of this home, ended ones too."""
    return list(
        docker_client.containers.list(
            all=True, filters={"label": f"{HOME_ID}={home_id}"}, ignore_removed=True
        )
    )


def sweep(docker_client: Any, home_id: str) -> None:
    """Remove them all."""
    for container in containers(docker_client, home_id):
        with suppress(NotFound):
            container.remove(force=True, v=True)


@contextmanager
def bare_image(docker_client: Any) -> Iterator[str]:
    """An image with one static program and nothing else: no shell, no C library, not even a folder.

    The program is BARE_COMMAND; it is glibc's ldconfig, which Debian links statically.
    """
    donor = docker_client.containers.create(RUNNER, ["true"], labels={HOME_ID: "test-bare-image"})
    try:
        chunks, _ = docker_client.api.get_archive(donor.id, "/usr/sbin/ldconfig")
        archive = b"".join(chunks)
    finally:
        donor.remove()
    name = f"airx-test-bare-{secrets.token_hex(6)}:latest"
    docker_client.api.import_image_from_data(archive, repository=name.partition(":")[0], tag="latest")
    try:
        yield name
    finally:
        docker_client.images.remove(name, force=True)


@contextmanager
def runner_image_with(docker_client: Any, *instructions: str) -> Iterator[str]:
    """The runner image, with such instructions of a Dockerfile added; its name is fresh."""
    with _committed(docker_client, ["true"], *instructions) as image:
        yield image


@contextmanager
def runner_image_without(docker_client: Any, path: str) -> Iterator[str]:
    """The runner image, but that the file `path` is not in it; its name is fresh."""
    with _committed(docker_client, ["rm", path], 'CMD ["sh"]') as image:
        yield image


@contextmanager
def _committed(docker_client: Any, command: list[str], *instructions: str) -> Iterator[str]:
    made = docker_client.containers.create(RUNNER, command, labels={HOME_ID: "test-runner-image"})
    name = f"airx-test-runner-{secrets.token_hex(6)}"
    try:
        made.start()
        assert made.wait()["StatusCode"] == 0
        made.commit(name, "latest", changes="\n".join(instructions))
    finally:
        made.remove()
    try:
        yield f"{name}:latest"
    finally:
        docker_client.images.remove(f"{name}:latest", force=True)


@contextmanager
def image_made_by(docker_client: Any, script: str, *instructions: str) -> Iterator[str]:
    """The runner image as root's `script` has left it, with such instructions added; its name is fresh."""
    labels = {HOME_ID: "test-image-made-by"}
    made = docker_client.containers.create(
        RUNNER, ["sh", "-ec", script], user="0", network_mode="none", labels=labels
    )
    name = f"airx-test-made-{secrets.token_hex(6)}"
    try:
        made.start()
        assert made.wait()["StatusCode"] == 0, made.logs()
        made.commit(name, "latest", changes="\n".join(instructions) or None)
    finally:
        made.remove()
    try:
        yield f"{name}:latest"
    finally:
        docker_client.images.remove(f"{name}:latest", force=True)


def testimony(docker_client: Any, home_id: str) -> str:
    """The logs and the inspection of every container of this home."""
    parts = []
    for container in containers(docker_client, home_id):
        inspected = docker_client.api.inspect_container(container.id)
        few = {name: inspected[name] for name in ("Name", "Image", "State", "Path", "Args", "Mounts")}
        parts.append(
            f"--- {container.name}\n{container.logs().decode(errors='replace')}\n{json.dumps(few, indent=1)}"
        )
    return "\n".join(parts) or "there is no container of this home"
