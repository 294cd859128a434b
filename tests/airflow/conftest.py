"""Fixtures; and an Airflow of its own for these tests, decided before `airflow` is imported."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import airflow_environment  # noqa: F401
import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder for the test alone, and AIR_EXECUTOR_HOME for it."""
    folder = tmp_path / "home"
    monkeypatch.setenv("AIR_EXECUTOR_HOME", str(folder))
    return folder


@pytest.fixture
def after() -> Iterator[Callable[[float, Callable[[], object]], None]]:
    """Do something in a thread of its own, some seconds later; joined at the end of the test."""
    timers: list[threading.Timer] = []

    def schedule(seconds: float, action: Callable[[], object]) -> None:
        timers.append(threading.Timer(seconds, action))
        timers[-1].start()

    yield schedule
    for timer in timers:
        timer.cancel()
        timer.join(timeout=10)
