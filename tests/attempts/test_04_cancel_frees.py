"""Task or job writer: a task that can't be stopped must not keep its runner: a cancel frees it.

As soon as its command provably does not run: at once before it can have begun. Where the engine says nothing
about a command that may run, its runner stays busy by necessity, and that is said.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from manager.engine.contract import EngineUnavailable
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import InProcess, Start, a_task
from tests.waiting import until

CAUSE = "cancelled"


class Hangs:
    """Has calls of the engine hang, of tasks' containers, until they are let go."""

    def __init__(self, engine: FakeEngine, name: str) -> None:
        self.reached = threading.Event()
        self.let_go = threading.Event()
        self._does: Callable[..., Any] = getattr(engine, name)
        setattr(engine, name, self._call)

    def _call(self, asked: Any, *rest: Any) -> Any:
        if "-job-" in getattr(asked, "name", "") and "-network-" not in getattr(asked, "name", ""):
            self.reached.set()
            self.let_go.wait(20)
        return self._does(asked, *rest)


def a_neighbour_runs(manager: InProcess) -> None:
    assert manager.run(a_task("innocent"), name="neighbour", seconds=10).state == "completed"


def ended(manager: InProcess, engine: FakeEngine) -> None:
    view = manager.client.wait("job", 20)
    assert view.job.failure is not None and view.job.failure.cause == CAUSE
    until(lambda: engine.names == [])
    assert [job for job, _, _ in engine.executions if job == "job"] == []


def test_while_its_container_is_being_made_a_cancel_frees_the_runner_at_once(
    start: Start, engine: FakeEngine
) -> None:
    hangs = Hangs(engine, "create")
    manager = start(max_runners=1, look_ahead=0)
    manager.client.create_job("job", [a_task("a"), a_task("b", "a")])
    assert hangs.reached.wait(10)
    until(lambda: manager.supervisor.runners == 1)
    manager.client.cancel("job")
    until(lambda: manager.supervisor.runners == 0, 5)
    a_neighbour_runs(manager)
    assert manager.state()["state"] == "working", "its container may still come to be, and has to go"
    hangs.let_go.set()
    ended(manager, engine)


def test_a_restart_does_not_take_the_runner_again(start: Start, engine: FakeEngine) -> None:
    hangs = Hangs(engine, "create")
    first = start(max_runners=1, look_ahead=0)
    first.client.create_job("job", [a_task("a")])
    assert hangs.reached.wait(10)
    first.stop()
    first.client.cancel("job")
    second = start(max_runners=1, look_ahead=0)
    a_neighbour_runs(second)
    hangs.let_go.set()
    second.client.wait("job", 20)
    until(lambda: engine.names == [])


def test_where_the_engine_says_nothing_of_what_may_run_the_runner_stays_busy_and_that_is_said(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.engine.retry.LONGEST_PAUSE", 0.1)
    manager = start(max_runners=1)
    manager.client.create_job("job", [a_task("a", command="long")])
    manager.until_status("a", "running")
    engine.go_down()
    manager.client.cancel("job")
    until(lambda: manager.problem == "jobs wait until the container engine answers")
    assert manager.supervisor.runners == 1
    engine.come_back()
    assert manager.client.wait("job", 20).state == "failed"
    until(lambda: manager.supervisor.runners == 0)


def test_an_engine_that_goes_down_while_a_container_is_made_holds_no_runner_after_a_cancel(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.engine.retry.LONGEST_PAUSE", 0.1)
    engine.refuse("create", EngineUnavailable("away"), times=2)
    hangs = Hangs(engine, "create")
    manager = start(max_runners=1, look_ahead=0)
    manager.client.create_job("job", [a_task("a")])
    assert hangs.reached.wait(10)
    engine.go_down()
    hangs.let_go.set()
    manager.client.cancel("job")
    until(lambda: manager.supervisor.runners == 0, 5)
    engine.come_back()
    ended(manager, engine)
