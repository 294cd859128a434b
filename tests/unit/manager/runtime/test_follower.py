"""How a container is followed to its end: a whole manager on the strict fake engine."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from manager.engine.contract import ContainerGone
from manager.folder.outputs import Search
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


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when outputs are looked for: there is no end of them."""
    begun = threading.Event()

    def steps(search: Search) -> Iterator[None]:
        while True:
            begun.set()
            time.sleep(0.002)
            yield None

    monkeypatch.setattr(Search, "steps", steps)
    return begun


def test_a_cancel_is_heard_while_outputs_are_listed(start: Start, endless: threading.Event) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", outputs=["*"], retries=0), a_task("b", "a")])
    assert endless.wait(10)
    manager.client.cancel("job")
    view = manager.client.wait("job", 10)
    assert view.job.failure is not None and view.job.failure.cause == "cancelled"
    assert view.tasks[0].failure is not None and view.tasks[0].failure.cause == "cancelled"


def test_so_is_the_time_of_a_job_that_is_over(start: Start, endless: threading.Event) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", outputs=["*"], retries=0)], timeout=1)
    view = manager.client.wait("job", 10)
    assert view.job.failure is not None and view.job.failure.cause == "timeout"


def test_the_time_of_a_task_does_not_end_that_and_a_cancel_after_it_does(
    start: Start, endless: threading.Event
) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", outputs=["*"], retries=0, timeout=0.3)])
    assert endless.wait(10)
    until(lambda: any(attempt.stopping for attempt in manager.task("a").attempts))
    assert manager.task("a").status == "running"
    manager.client.cancel("job")
    view = manager.client.wait("job", 10)
    assert view.job.failure is not None and view.job.failure.cause == "cancelled"
    assert view.tasks[0].failure is not None and "called off" in view.tasks[0].failure.message


def test_outputs_that_take_too_long_to_list_fail_their_task(
    start: Start, endless: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.runtime.follower.LISTING", 0.2)
    view = start().run(a_task("a", outputs=["*"], retries=0))
    failure = view.tasks[0].failure
    assert failure is not None and failure.cause == "bad_input"
    assert "outputs: they take longer than 0.2 s to list" in failure.message


def test_a_cancel_does_not_wait_for_the_end_of_a_long_output_to_be_masked(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.gates.secret_keeper.SecretKeeper.to_mask", lambda *_: (b"secret",))
    monkeypatch.setattr("manager.runtime.follower.LAST_WORDS", -1)
    engine.programs[("floods",)] = Program(seconds=None, output=b"a secret\n" * 200_000)
    manager = start(log_mb=1)
    manager.client.create_job("job", [a_task("a", command="floods", retries=0)])
    manager.until_status("a", "running")
    until(lambda: "follow when the task has ended" in manager.log("a"))
    manager.client.cancel("job")
    manager.client.wait("job", 10)
    log = manager.log("a")
    assert log.startswith("a ***\n" * 100) and "a secret" not in log
    assert "bytes are missing here" in log
    assert log.endswith("it may have secrets in it: its job was called off before all was masked]\n")


def test_the_end_of_an_output_that_nobody_cancels_is_masked_to_its_last_word(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.gates.secret_keeper.SecretKeeper.to_mask", lambda *_: (b"secret",))
    monkeypatch.setattr("manager.runtime.follower.LAST_WORDS", -1)
    engine.programs[("floods",)] = Program(exit_code=1, output=b"a secret\n" * 200_000)
    manager = start(log_mb=1)
    manager.run(a_task("a", command="floods", retries=0))
    assert "lines) are missing here]" in manager.log("a") and manager.log("a").endswith("a ***\n")
