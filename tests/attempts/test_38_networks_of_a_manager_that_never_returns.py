"""Nobody in particular: a manager dies with its home, and what holds its networks would stay for ever.

What guards a network ends when no manager has given a sign for a week; here its patience is shortened.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from manager.engine.connect import connect
from manager.engine.contract import Engine, Status
from manager.model import containers
from manager.model.container_spec import ContainerSpec
from manager.model.home import Home
from manager.model.values import Guard
from manager.settings import Settings
from tests import engine_room

PATIENCE = 2


@pytest.fixture
def holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContainerSpec]:
    client = engine_room.client()
    monkeypatch.setattr(containers, "NETGUARD_PATIENCE", PATIENCE)
    settings, home = Settings(home=tmp_path), Home(engine_room.fresh_home_id(), tmp_path)
    spec = containers.network_container(f"airx-{home.id}", "job", "a" * 32, home, settings)
    yield containers.guarded(spec, Guard((), "none"), settings)
    engine_room.sweep(client, home.id)


def test_what_holds_a_network_ends_without_a_sign_of_its_manager_and_stays_with_one(
    holder: ContainerSpec, tmp_path: Path
) -> None:
    engine: Engine = connect(Settings(home=tmp_path))
    engine.start(engine.create(holder, None))
    assert engine.first_words(holder.name) == containers.GUARDED
    for _ in range(3):
        time.sleep(PATIENCE / 2)
        engine.signal(holder.name, "SIGHUP")
    assert engine.observe(holder.name).status is Status.RUNNING
    engine.wait(holder.name)
    assert engine.observe(holder.name).exit_code == 0
