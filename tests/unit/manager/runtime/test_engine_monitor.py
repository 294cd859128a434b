"""Whether the engine sees the same folders: a whole manager on the strict fake engine."""

from pathlib import Path

import pytest

from manager.engine.contract import Confinement
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


def test_what_does_not_confine_tasks_here_is_logged_once(
    start: Start, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.kept_in = Confinement(means=(), gaps=("the engine has no seccomp",))
    manager = start()
    assert manager.run(a_task("a")).state == "completed"
    warned = [record for record in caplog.records if "the engine has no seccomp" in record.getMessage()]
    assert [record.levelname for record in warned] == ["WARNING"]
