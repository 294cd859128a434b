"""Managers in this process, on the strict fake engine: most attempts need no other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import InProcess, Start

PROGRAMS = {
    ("long",): Program(seconds=None),
    ("stubborn",): Program(seconds=None, ignores_term=True),
}


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    made = FakeEngine(PROGRAMS)
    yield made
    made.check()


@pytest.fixture
def start(tmp_path: Path, engine: FakeEngine) -> Iterator[Start]:
    """Starts managers for one home; all are stopped at the end."""
    managers: list[InProcess] = []

    def starter(**fields: Any) -> InProcess:
        managers.append(InProcess(tmp_path, engine, **fields).start())
        return managers[-1]

    yield starter
    for manager in managers:
        manager.stop()
