"""Fixtures of the library's tests."""

from pathlib import Path

import pytest

from air_executor import Client


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own AIR_EXECUTOR_HOME is not to be seen by any test."""
    monkeypatch.delenv("AIR_EXECUTOR_HOME", raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def client(home: Path) -> Client:
    return Client(home)
