"""The threads in which calls to the engine are made."""

import threading
from collections.abc import Iterator

import pytest

from manager.engine.retry import Retry, Stopped
from manager.runtime.workers import POOL, Workers
from tests.waiting import until


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(Retry(lambda fact: None))
    made.start()
    yield made
    made.stop()
    for _ in range(POOL):  # so that each thread sees it
        made.submit(lambda: None)


def test_calls_are_made_beside_each_other(workers: Workers) -> None:
    meeting = threading.Barrier(3)
    for _ in range(3):
        workers.submit(lambda: meeting.wait(30) and None)
    until(lambda: meeting.broken or not meeting.n_waiting)
    assert not meeting.broken


def test_a_call_without_outcome_kills_its_thread_which_ends_the_manager(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: dead.append(args.exc_value))

    def fail() -> None:
        raise RuntimeError("of all things")

    workers.submit(fail)
    workers.run_alone("alone", fail)
    until(lambda: [str(each) for each in dead] == ["of all things"] * 2)


def test_a_call_that_is_cut_short_because_the_manager_ends_is_no_bug(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    over = threading.Event()

    def stopped() -> None:
        over.set()
        raise Stopped

    workers.run_alone("alone", stopped)
    assert over.wait(30)
    until(lambda: not any(thread.name == "alone" for thread in threading.enumerate()))
    assert "bug" not in caplog.text


def test_after_the_end_nothing_is_begun() -> None:
    workers = Workers(Retry(lambda fact: None))
    workers.start()
    workers.stop()
    begun: list[int] = []
    for number in range(3 * POOL):  # each thread may make the one call that it waits for already
        workers.submit(lambda number=number: begun.append(number))
    until(lambda: workers._calls.qsize() == 2 * POOL)
    assert len(begun) <= POOL


def test_what_takes_long_runs_in_a_thread_of_its_own_by_that_name(workers: Workers) -> None:
    names: list[str] = []
    workers.run_alone("follow airx-job-a-1", lambda: names.append(threading.current_thread().name))
    until(lambda: names)
    assert names == ["follow airx-job-a-1"]
