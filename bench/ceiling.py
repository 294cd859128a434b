"""How many containers the engine itself can create, start, wait for and remove: nobody can do more.

By the low level of the `docker` package, with the container options of a job's task, in one shared network.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import docker
from docker.utils import kwargs_from_env

from air_executor.format.models import Task
from bench.docker_cli import IMAGE, sweep
from bench.failed import BenchFailed
from manager.core import policy
from manager.engine.docker.translate import PathTable, container_body
from manager.model.container_spec import HOME_ID, ContainerSpec
from manager.model.containers import container_name, network_container, network_name, task_container
from manager.model.home import Home
from manager.model.values import AttemptKey, Owner
from manager.settings import Settings

TIMEOUT = 60
"""Seconds that the engine may take for one call."""
JOB = "ceiling"
USER = 65534


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A job's folder and network, and no manager."""

    home: Home
    uid: str
    network: str
    """The id of the container that holds the network; it runs all the time."""

    def containers_per_second(self, count: int, threads: int) -> float:
        """Run `count` × `true`, each in a container of its own, `threads` at a time."""
        return _rate(_run, [self._task(number, self.network) for number in range(count)], threads)

    def networks_per_second(self, count: int, threads: int) -> float:
        """As `containers_per_second`, but that each container gets a network that nobody else has."""

        def run(api: docker.APIClient, number: int) -> None:
            spec = _holder(f"{self.uid}-{number}", self.home)
            network = _started(api, _body(spec, None))
            _run(api, self._task(number, network))
            api.remove_container(network, v=True, force=True)

        return _rate(run, range(count), threads)

    def _task(self, number: int, network: str) -> dict[str, Any]:
        task = Task(id=f"task-{number}", command="true", job_name=JOB)
        key = AttemptKey(self.uid, task.id, 1, 1)
        grant = policy.grant(task, Owner(USER, USER), network, _settings())
        name = container_name(self.home.id, JOB, key)
        self.home.gate(name).inbox.mkdir(parents=True)
        spec = task_container(JOB, task, key, name, grant, self.home.works, self.home)
        return _body(spec, network)


def _rate(run: Callable[[docker.APIClient, Any], None], what: Sequence[Any], threads: int) -> float:
    """How much of it is run in a second."""
    clients = threading.local()

    def connect() -> None:
        clients.api = _connect()

    with ThreadPoolExecutor(threads, initializer=connect) as pool:
        began = time.perf_counter()
        for _ in pool.map(lambda each: run(clients.api, each), what):
            pass
        return len(what) / (time.perf_counter() - began)


@contextmanager
def ceiling() -> Iterator[Ceiling]:
    """Nothing of it is left afterwards."""
    with TemporaryDirectory(prefix="air-executor-bench-") as folder:
        Path(folder, "work").mkdir()
        home, uid = Home(secrets.token_hex(8), Path(folder)), secrets.token_hex(16)
        try:
            network = _started(_connect(), _body(_holder(uid, home), None))
            yield Ceiling(home, uid, network)
        finally:
            sweep(f"{HOME_ID}={home.id}")


def _holder(uid: str, home: Home) -> ContainerSpec:
    """The container that holds a network."""
    return network_container(network_name(home.id, JOB, uid), JOB, uid, home, _settings())


def _settings() -> Settings:
    """The defaults, whatever the environment and the user's configuration say."""
    return Settings.model_construct(runner_image=IMAGE)


def _body(spec: ContainerSpec, network: str | None) -> dict[str, Any]:
    return container_body(spec, PathTable(), network)


def _connect() -> docker.APIClient:
    client = docker.APIClient(version="auto", timeout=TIMEOUT, **kwargs_from_env())
    client.trust_env = False  # at each call it would look for proxies: that is not the engine's time
    return client


def _run(api: docker.APIClient, body: dict[str, Any]) -> None:
    container = _started(api, body)
    code = api.wait(container)["StatusCode"]
    api.remove_container(container, v=True)
    if code:
        raise BenchFailed(f"`true` ended with {code}")


def _started(api: docker.APIClient, body: dict[str, Any]) -> str:
    made = api.create_container_from_config(body)  # type: ignore[no-untyped-call]
    api.start(made["Id"])
    return str(made["Id"])
