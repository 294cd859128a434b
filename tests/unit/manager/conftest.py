"""Managers in this process, for tests that bring an engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.engine import FakeEngine
from tests.fakes.manager import InProcess, Start


@pytest.fixture
def start(tmp_path: Path, engine: FakeEngine) -> Iterator[Start]:
    """Starts managers for one home, on the `engine` of the module's own; all are stopped at the end."""
    managers: list[InProcess] = []

    def starter(**fields: Any) -> InProcess:
        managers.append(InProcess(tmp_path, engine, **fields).start())
        return managers[-1]

    yield starter
    for manager in managers:
        manager.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with a whole manager take seconds each, and most of the time of all unit tests."""
    for item in items:
        if "start" in getattr(item, "fixturenames", ()):
            item.add_marker("whole")
