"""The engine that the settings name."""

from pathlib import Path

import pytest

from manager.engine.connect import connect
from manager.engine.contract import EngineUnavailable
from tests.unit.manager.builders import settings


def test_nothing_is_asked_of_an_engine_before_it_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    engine = connect(settings())
    with pytest.raises(EngineUnavailable, match="does not answer"):
        engine.describe()
