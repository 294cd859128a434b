"""Managers to be treated badly, on the real engine."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine_proxy import EngineProxy
from tests.real_manager import RealManager, need_engine, real_manager
from tests.waiting import until

MAX_TASKS = 60


@pytest.fixture(scope="module")
def shared() -> Iterator[RealManager]:
    """One manager for the tests of a module that leave it alive; its limits are small."""
    with real_manager(max_tasks=MAX_TASKS, log_mb=1, look_ahead=4) as manager:
        yield manager


@pytest.fixture
def served(shared: RealManager, on_failure: Callable[..., None]) -> RealManager:
    """The shared manager, which tells what it knows when the test fails."""
    on_failure("the manager and its containers", shared.evidence)
    return shared


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[EngineProxy]:
    """A door to the engine that is open."""
    need_engine()
    made = EngineProxy(tmp_path)
    made.open()
    yield made
    made.close()  # first, so that what it holds back never reaches the engine
    made.flow()


@pytest.fixture
def behind(
    tmp_path: Path, proxy: EngineProxy, monkeypatch: pytest.MonkeyPatch, on_failure: Callable[..., None]
) -> Iterator[RealManager]:
    """A manager, not yet started, that reaches the engine through the door only."""
    home = tmp_path / "home"
    home.mkdir()
    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", proxy.address)
        manager = RealManager(home, engine_timeout=2)
    on_failure("the manager and its containers", manager.evidence)
    yield manager
    manager.kill()
    proxy.close()
    if (home / "home-id").exists():
        until(lambda: not swept(manager), 30)
        time.sleep(0.5)  # the engine may have been at a create when its manager was killed
        until(lambda: not swept(manager), 30)


def swept(manager: RealManager) -> list[str]:
    """What was there; somebody else may be removing it already."""
    left = manager.containers()
    if left:
        subprocess.run(["docker", "rm", "--force", *left], capture_output=True, check=False)
    return left
