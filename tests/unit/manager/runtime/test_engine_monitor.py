"""Whether the engine sees the same folders: a whole manager on the strict fake engine."""

from pathlib import Path

import pytest

from manager.engine.contract import Confinement
from manager.model.values import Host
from manager.runtime import engine_monitor
from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import Start, a_task
from tests.waiting import until


def test_a_leftover_of_a_killed_probe_does_not_keep_the_engine_from_being_used(
    start: Start, engine: FakeEngine, tmp_path: Path
) -> None:
    (tmp_path / "probe").mkdir()
    (tmp_path / "probe" / "0badc0de").touch()
    assert start().run(a_task("a")).state == "completed"


def test_an_engine_that_does_not_see_the_folder_is_told_of_and_not_used(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_program", lambda spec: Program(exit_code=1))
    manager = start()
    until(lambda: "does not see" in manager.monitor.description)
    manager.client.create_job("job", [a_task("a")])
    until(lambda: manager.state()["state"] == "working")
    assert engine.executions == []


def test_a_job_that_asks_for_more_cpus_than_the_host_has_is_refused_before_anything_of_it_runs(
    start: Start, engine: FakeEngine
) -> None:
    engine.runs_on = Host(cpus=2)
    manager = start()
    manager.run(a_task("first"), name="first")  # by now the engine has told of its host
    view = manager.run(a_task("a"), a_task("b", resources={"cpus": 3}))
    assert view.job.failure is not None and view.job.failure.cause == "bad_input"
    assert "3 is more than the host has on which tasks run: 2 CPUs" in view.job.failure.message
    assert [job for job, _, _ in engine.executions] == ["first"]


def test_what_the_engine_calls_a_fault_of_the_request_is_told_once_whatever_the_policy(
    start: Start, engine: FakeEngine
) -> None:
    view = start(networks=["nobody-made-it"]).run(a_task("a", network="nobody-made-it", retries=3))
    failure = view.tasks[0].failure
    assert failure is not None and failure.cause == "bad_input"
    assert "docker network create nobody-made-it" in failure.message
    assert len(view.tasks[0].attempts) == 1


def test_a_usual_share_that_the_host_has_not_is_told_to_the_operator(
    start: Start, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.runs_on = Host(cpus=1)
    start(cpus=2.0)
    until(lambda: "setting `cpus` is 2, and the engine's host has 1" in caplog.text)


def test_what_does_not_confine_tasks_here_is_logged_once(
    start: Start, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.kept_in = Confinement(means=(), gaps=("the engine has no seccomp",))
    manager = start()
    assert manager.run(a_task("a")).state == "completed"
    warned = [record for record in caplog.records if "the engine has no seccomp" in record.getMessage()]
    assert [record.levelname for record in warned] == ["WARNING"]


def test_that_no_gate_works_is_told_with_the_engine(start: Start, engine: FakeEngine) -> None:
    """As `status` and `doctor` show it."""
    engine.has_gate = False
    monitor = start().monitor
    until(lambda: "; commands begin without a gate, and cold: the image" in monitor.description)
    asked = [name for name, _ in engine.calls].count("describe")
    monitor.wake()
    until(lambda: [name for name, _ in engine.calls].count("describe") > asked)
    until(lambda: monitor.description.count("without a gate") == 1)


def test_whether_gates_work_is_tried_again_where_they_did_not(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine may have been too busy; what is started meanwhile begins without one."""
    monkeypatch.setattr(engine_monitor, "TRY_AGAIN", 0.05)
    engine.deaf_gates = 1
    manager = start()
    until(lambda: manager.scheduler.capabilities.gates is None)
    assert "without a gate" not in manager.monitor.description
    assert engine.deaf_gates == 0
