"""Secrets through the whole manager: to their task by its gate, and into no log, record or message."""

from pathlib import Path
from typing import Any

import pytest

from air_executor.format.models import JobView, Task
from manager.model.values import Capabilities
from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import InProcess
from tests.waiting import until

VALUE = b"the-value-of-it"
PRINTS = Program(output=b"it is " + VALUE + b"\n")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "db"
    path.write_bytes(VALUE + b"\n")
    return path


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(
        {("prints",): PRINTS, ("prints", "and", "stays"): Program(output=PRINTS.output, seconds=None)}
    )


def manager_of(home: Path, engine: FakeEngine, path: Path, **declared: Any) -> InProcess:
    home.mkdir(exist_ok=True)
    users = ["1-2147483647"]
    return InProcess(home, engine, secrets={"db": {"file": str(path), "users": users} | declared}).start()


def run(manager: InProcess, **fields: Any) -> JobView:
    task = {"id": "a", "command": "prints"} | fields
    try:
        manager.client.create_job("job", [task])
        return manager.client.wait("job", 30)
    finally:
        manager.stop()


def log_of(home: Path) -> bytes:
    return (home / "jobs" / "job" / "logs" / "a.log").read_bytes()


def everything(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def failed(view: JobView) -> Task:
    assert view.state == "failed"
    return view.tasks[0]


def test_a_task_gets_its_secrets_with_its_command_and_nothing_else_has_them(
    tmp_path: Path, engine: FakeEngine, file: Path
) -> None:
    home = tmp_path / "home"
    view = run(
        manager_of(home, engine, file),
        secrets={"db": "/run/secrets/x"},
        secret_env={"PGPASSWORD": "db"},
    )
    assert view.state == "completed"
    (attempt,) = view.tasks[0].attempts
    handed = engine.given[attempt.container.name]
    assert handed.files == {"/run/secrets/x": VALUE + b"\n"}
    assert handed.env["PGPASSWORD"] == VALUE.decode()
    assert log_of(home) == b"it is ***\n"
    assert VALUE not in everything(home)
    engine.check()


def test_a_log_shows_what_the_operator_lets_it(tmp_path: Path, engine: FakeEngine, file: Path) -> None:
    run(manager_of(tmp_path / "home", engine, file, mask=False), secrets=["db"])
    assert log_of(tmp_path / "home") == PRINTS.output


def test_each_attempt_has_the_value_of_its_time(tmp_path: Path, engine: FakeEngine, file: Path) -> None:
    command = ["sh", "-c", f"cat {file}; echo next >{file}"]
    engine.programs[("prints",)] = Program(exit_code=1)
    view = run(
        manager_of(tmp_path / "home", engine, file, file=None, command=command), secrets=["db"], retries=1
    )
    handed = [engine.given[attempt.container.name].files for attempt in failed(view).attempts]
    assert [each["/run/secrets/db"] for each in handed] == [VALUE + b"\n", b"next\n"]


def test_one_that_can_not_be_read_fails_the_attempt_and_nothing_begins(
    tmp_path: Path, engine: FakeEngine, file: Path
) -> None:
    manager = manager_of(tmp_path / "home", engine, file)
    file.unlink()
    task = failed(run(manager, secrets=["db"]))
    assert task.failure is not None and task.failure.cause == "engine"
    assert "`secrets.db.file`" in task.failure.message
    assert len(task.attempts) == 2, "which is tried once more, where the task says nothing else"
    assert engine.executions == []
    engine.check()


@pytest.mark.parametrize("way", ["old gates", "no gates"])
def test_where_no_gate_hands_them_over_a_task_is_told_so_and_others_go_on(
    tmp_path: Path, engine: FakeEngine, file: Path, way: str
) -> None:
    if way == "old gates":
        engine.old_gates = True
    else:
        engine.able = Capabilities.without_gates("no FIFOs here")
    manager = manager_of(tmp_path / "home", engine, file)
    manager.client.create_job("other", [{"id": "a", "command": "true"}])
    assert manager.client.wait("other", 30).state == "completed"
    task = failed(run(manager, secret_env={"A": "db"}))
    assert task.failure is not None and task.failure.cause == "bad_input"
    assert "asks for secrets" in task.failure.message
    assert ("no FIFOs here" if way == "no gates" else "of before there were secrets") in task.failure.message
    engine.check()


def test_a_manager_that_comes_back_and_can_not_read_them_copies_nothing_more(
    tmp_path: Path, engine: FakeEngine, file: Path
) -> None:
    home = tmp_path / "home"
    first = manager_of(home, engine, file)
    first.client.create_job(
        "job", [{"id": "a", "command": "prints", "args": ["and", "stays"], "secrets": ["db"]}]
    )
    until(lambda: (home / "jobs/job/logs/a.log").exists() and log_of(home) == b"it is ***\n", 10)
    first.stop()
    file.unlink()
    second = manager_of(home, engine, file)
    try:
        second.client.cancel("job")
        second.client.wait("job", 30)
    finally:
        second.stop()
    assert b"is left out, for it may have secrets in it" in log_of(home)
    assert VALUE not in everything(home)
