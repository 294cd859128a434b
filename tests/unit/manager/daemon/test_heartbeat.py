"""`manager.json`: that the manager is there, and how busy it is."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from air_executor.daemon import STATUS, read_status
from air_executor.files import Create, create_exclusively
from manager.daemon import heartbeat as module
from manager.daemon.heartbeat import Heartbeat
from manager.daemon.readers import readers_of
from tests.waiting import until


@pytest.fixture
def engine() -> list[str]:
    return ["Docker 26.1.5"]


@pytest.fixture
def pulling() -> list[str]:
    return []


@pytest.fixture
def heartbeat(
    tmp_path: Path, engine: list[str], pulling: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Heartbeat]:
    monkeypatch.setattr(module, "SHORTEST", 0.02)
    monkeypatch.setattr(module, "LONGEST", 0.3)
    made = Heartbeat(
        tmp_path,
        10,
        lambda: engine[0],
        lambda: tuple(pulling),
        partial(readers_of, tmp_path, None),
        lambda write: write(create_exclusively),
    )
    made.start()
    yield made
    made.stop()


def test_it_tells_of_itself_at_once(heartbeat: Heartbeat, tmp_path: Path) -> None:
    status = until(lambda: read_status(tmp_path))
    assert (status.pid, status.runners, status.max_runners) == (os.getpid(), 0, 10)
    assert status.engine == "Docker 26.1.5"
    assert status.started_at <= status.updated_at


def test_a_change_is_told_soon(heartbeat: Heartbeat, tmp_path: Path, engine: list[str]) -> None:
    until(lambda: read_status(tmp_path))
    heartbeat.update(3, None)
    until(lambda: (status := read_status(tmp_path)) is not None and status.runners == 3, 2)
    engine[0] = "the container engine does not answer"
    until(lambda: (status := read_status(tmp_path)) is not None and "does not answer" in status.engine, 2)


def test_a_sign_of_life_comes_even_when_nothing_changes(heartbeat: Heartbeat, tmp_path: Path) -> None:
    first = until(lambda: read_status(tmp_path))
    until(lambda: (status := read_status(tmp_path)) is not None and status.updated_at > first.updated_at, 5)


def test_a_full_disk_is_logged_and_does_not_end_it(
    heartbeat: Heartbeat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    until(lambda: read_status(tmp_path))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_whole", full)
        until(lambda: "No space left" in caplog.text)
    heartbeat.update(5, "the disk is full")
    until(lambda: (status := read_status(tmp_path)) is not None and status.problem == "the disk is full")


def test_that_work_stands_still_or_does_no_more_is_told_at_any_price(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing else: what is kept for a full disk must last."""
    monkeypatch.setattr(module, "SHORTEST", 0.02)
    spent: list[str | None] = []

    def spend(write: Callable[[Create], None]) -> None:
        write(create_exclusively)
        status = read_status(tmp_path)
        spent.append(status and status.problem)

    readers = partial(readers_of, tmp_path, None)
    heartbeat = Heartbeat(tmp_path, 10, lambda: "Docker", lambda: (), readers, spend)
    heartbeat.start()
    for runners, problem in enumerate(("the disk is full", "the disk is very full", None), 1):
        until(lambda: read_status(tmp_path))
        heartbeat.update(runners, problem)
        until(partial(_tells, tmp_path, runners))
    heartbeat.stop()
    assert spent == ["the disk is full", None]


def _tells(home: Path, runners: int) -> bool:
    status = read_status(home)
    return status is not None and status.runners == runners


def test_what_is_pulled_is_told_while_it_is_and_not_at_all_afterwards(
    heartbeat: Heartbeat, tmp_path: Path, pulling: list[str]
) -> None:
    until(lambda: read_status(tmp_path))
    assert "pulling" not in (tmp_path / STATUS).read_text()
    pulling.append("alpine: 1 of 2 layers")
    until(lambda: (status := read_status(tmp_path)) is not None and status.pulling == tuple(pulling), 2)
    pulling.clear()
    until(lambda: "pulling" not in (tmp_path / STATUS).read_text(), 2)
