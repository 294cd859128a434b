"""How a container is followed to its end: a whole manager on the strict fake engine."""

import threading
from collections.abc import Callable

import pytest

from manager.engine.contract import ContainerGone
from manager.model.container_spec import ROLE
from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import Start, a_task
from tests.waiting import until


def test_an_engine_that_goes_away_for_a_while_costs_no_task(start: Start, engine: FakeEngine) -> None:
    manager = start()
    engine.programs[("talks",)] = Program(seconds=None, output=b"said before\n")
    manager.client.create_job("job", [a_task("a", command="talks"), a_task("b", "a")])
    manager.until_status("a", "running")
    until(lambda: (manager.home / "jobs/job/logs/a.log").exists() and manager.log("a") == "said before\n")
    container = engine.find("a")
    assert container is not None
    engine.go_down()
    engine.finish(container.id, output=b"said while nobody listened\n")
    until(lambda: manager.monitor.description != "Fake 1.0")
    engine.come_back()
    view = manager.client.wait("job", 20)
    assert view.state == "completed"
    assert engine.executions == [("job", "a", 1), ("job", "b", 1)]
    assert manager.log("a") == "said before\nsaid while nobody listened\n"


def test_a_container_that_is_taken_away_is_lost_and_no_exit_code_invented(
    start: Start, engine: FakeEngine
) -> None:
    """FAULTS 16, on the fake."""
    manager = start()
    manager.client.create_job("job", [a_task("a", command="long", retries=0)])
    manager.until_status("a", "running")
    container = engine.find("a")
    assert container is not None
    engine.kill(container.id)
    view = manager.client.wait("job", 10)
    assert view.job.failure is not None
    assert view.job.failure.cause == "lost"
    assert view.tasks[0].attempts[0].exit_code is None


def test_an_end_that_nobody_is_told_of_is_noticed_by_the_sweep_and_the_log_is_whole(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAULTS 17: the stream of output says nothing any more, for ever."""
    monkeypatch.setattr("manager.runtime.follower.STUCK", 0.5)
    manager = start()
    follow, deaf = engine.follow, threading.Event()

    def say_nothing(container: str, sink: Callable[[bytes], None]) -> bool:
        engine.follow = follow  # type: ignore[method-assign]
        sink(b"be")
        deaf.wait(20)
        sink(b"gun and ended\n")
        return True

    engine.follow = say_nothing  # type: ignore[method-assign]
    manager.client.create_job("job", [a_task("a", command="long")])
    task = manager.until_status("a", "running")
    container = task.attempts[0].container.name
    engine.finish(container, 0, b"begun and ended\n")
    view = manager.client.wait("job", 10)
    deaf.set()
    assert view.state == "completed"
    assert manager.log("a") == "begun and ended\n"


MIB = 1 << 20


def test_of_a_long_output_the_end_is_kept_and_no_more_is_read_while_it_runs(
    start: Start, engine: FakeEngine
) -> None:
    engine.programs[("floods",)] = Program(seconds=None, output=b"a line\n" * 200_000)
    manager = start(log_mb=1)
    manager.client.create_job("job", [a_task("a", command="floods", retries=0)])
    manager.until_status("a", "running")
    until(lambda: "follow when the task has ended" in manager.log("a"))
    container = engine.find("a")
    assert container is not None
    engine.finish(container.id, 1, output=b"FINAL ERROR\n")
    view = manager.client.wait("job", 20)
    assert view.tasks[0].attempts[0].exit_code == 1
    log = manager.log("a")
    assert log.startswith("a line\n" * 100_000)
    assert log.endswith("a line\nFINAL ERROR\n")
    assert "lines) are missing here]" in log
    assert MIB - 65536 < len(log) < MIB + 500
    assert manager.client.log_tail("job", "a", 1) == "FINAL ERROR"


def test_a_container_that_is_taken_away_before_its_last_part_is_read_keeps_its_exit_code(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.programs[("floods",)] = Program(exit_code=3, output=b"a line\n" * 200_000)
    follow, asked = engine.follow, []

    def gone_the_second_time(container: str, sink: Callable[[bytes], None]) -> bool:
        if engine._find(container).spec.labels[ROLE] == "task":
            asked.append(container)
            if len(asked) == 2:
                raise ContainerGone("somebody took it")
        return follow(container, sink)

    monkeypatch.setattr(engine, "follow", gone_the_second_time)
    manager = start(log_mb=1)
    manager.client.create_job("job", [a_task("a", command="floods", retries=0)])
    view = manager.client.wait("job", 20)
    assert view.tasks[0].attempts[0].exit_code == 3
    assert "at least" in manager.log("a")
