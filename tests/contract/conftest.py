"""One suite, two engines: the strict fake, and Docker's."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from manager.engine.connect import connect
from manager.model.home import Home
from manager.settings import Settings
from tests import engine_room
from tests.contract.bench import PROGRAMS, Bench
from tests.fakes.engine import FakeEngine
from tests.guarded_engine import guarded_engine


@pytest.fixture(scope="session")
def docker_client() -> Any:
    return engine_room.client()


@pytest.fixture(scope="session")
def bare_image(docker_client: Any) -> Iterator[str]:
    with engine_room.bare_image(docker_client) as name:
        yield name


@pytest.fixture(scope="session")
def image_with_volumes(docker_client: Any) -> Iterator[str]:
    volumes = 'VOLUME ["/var/tmp", "/new/and/deep/", "/tmp", "/work", "/inbox", "/.air-executor"]'
    with engine_room.runner_image_with(docker_client, volumes) as name:
        yield name


@pytest.fixture(scope="session")
def image_with_a_volume_in_work(docker_client: Any) -> Iterator[str]:
    with engine_room.runner_image_with(docker_client, "VOLUME /work/deep/er") as name:
        yield name


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, memory_mb=64, pids=64, cpus=0.5, tmp_mb=4, log_mb=4, pull=False)


@pytest.fixture
def fake_bench(tmp_path: Path, settings: Settings) -> Iterator[Bench]:
    engine = FakeEngine(PROGRAMS)
    bench = Bench(engine, Home(engine_room.fresh_home_id(), tmp_path), tmp_path / "a:b+c", settings)
    bench.prepare()
    yield bench
    engine.check()


@pytest.fixture
def docker_bench(
    tmp_path: Path, settings: Settings, docker_client: Any, on_failure: Callable[..., None]
) -> Iterator[Bench]:
    """Everything that a test leaves goes, by its label; what does not go fails the test."""
    home = Home(engine_room.fresh_home_id(), tmp_path)
    bench = Bench(connect(settings), home, tmp_path / "a:b+c", settings)
    bench.prepare()
    on_failure("containers", lambda: engine_room.testimony(docker_client, home.id))
    yield bench
    engine_room.sweep(docker_client, home.id)
    assert engine_room.containers(docker_client, home.id) == []


@pytest.fixture
def guarded_bench(
    tmp_path: Path, settings: Settings, docker_client: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """The real engine, by way of the engine proxy; the job's folder lies in the home, as it always does."""
    home = Home(engine_room.fresh_home_id(), tmp_path)
    (home.path / "home-id").write_text(f"{home.id}\n")
    with guarded_engine(home.path, tmp_path) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        bench = Bench(connect(settings), home, tmp_path / "a:b+c", settings)
        bench.prepare()
        yield bench
        monkeypatch.undo()
    engine_room.sweep(docker_client, home.id)
    assert engine_room.containers(docker_client, home.id) == []


@pytest.fixture(params=["fake", "docker"])
def bench(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue(f"{request.param}_bench")
    return found
