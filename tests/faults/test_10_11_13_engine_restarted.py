"""FAULTS 10 to 13 on an engine of the test's own: restarted, killed with all that it runs, late, frozen.

What the engine says afterwards of a task that it ended itself was measured (Engine 26.1): exit code 143 for
one that it stopped, 255 for one whose end it did not see.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from air_executor import JobView
from tests.engine_proxy import EngineProxy
from tests.own_engine import OwnEngine
from tests.real_manager import ROOT, RealManager
from tests.waiting import until

ENGINES_FAULT = {"engine", "lost"}
ANY_TASKS_START = rb"POST /v[0-9.]+/containers/(?!airx-probe)[0-9a-f]{64}/start"
TRUE = [{"id": "a", "command": "true", "network": "none"}]

ONCE_SLOW = """\
echo "begun $AIR_EXECUTOR_ATTEMPT" >> executions
echo early
[ "$AIR_EXECUTOR_ATTEMPT" != 1 ] || sleep 60
echo late
"""
"""Its first attempt outlives any fault; the ones after it end at once."""


SLOW_RUNTIME = """\
#!/bin/sh
runc "$@" || exit
case " $* " in *" start "*) sleep 1 ;; esac
"""
"""Between the moment that a command begins and the one when the engine hears of it."""


@pytest.fixture(scope="module")
def room() -> Iterator[OwnEngine]:
    """An engine that has the image; loading it takes longest."""
    with OwnEngine() as engine:
        engine.start()
        engine.load()
        engine.stop()
        yield engine


@pytest.fixture
def engine(room: OwnEngine) -> Iterator[OwnEngine]:
    """Not running; afterwards neither it nor a container is there."""
    yield room
    if not room.running:
        room.start()
    room.thaw()
    until(lambda: not swept(room), 30)
    room.stop()


def swept(engine: OwnEngine) -> list[str]:
    """What was there; a manager killed just now may have had it removed already."""
    left = engine.docker("ps", "--all", "--quiet").split()
    with suppress(subprocess.CalledProcessError):
        if left:
            engine.docker("rm", "--force", *left)
    return left


@pytest.fixture
def manager(
    engine: OwnEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_failure: Callable[..., None]
) -> Iterator[RealManager]:
    """A manager of that engine, not yet started."""
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    made = RealManager(tmp_path, engine_timeout=2)
    on_failure("the engine", engine.log)
    on_failure("the manager and its containers", made.evidence)
    yield made
    made.kill()


@pytest.fixture
def proxy(engine: OwnEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineProxy]:
    """A door to that engine, which runs."""
    engine.start()
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    made = EngineProxy(tmp_path)
    made.open()
    yield made
    made.close()


def begin(manager: RealManager, name: str, script: str, **fields: object) -> JobView:
    """A job of one task, which runs and has said something."""
    task = {"id": "counted", "command": "sh", "args": ["-c", script]} | fields
    manager.client.create_job(name, [task])
    log = manager.client.log_file(name, "counted")
    until(lambda: log.exists() and "early" in log.read_text(), 30)
    until(lambda: manager.client.status(name).tasks[0].status == "running", 30)
    return manager.client.status(name)


def check_retried(manager: RealManager, name: str) -> None:
    """The engine's fault was no success and no failure of the command, and was made good by a second try."""
    view = manager.client.wait(name, timeout=150)
    work = manager.client.store.folder(name).work
    assert (work / "executions").read_text() == "begun 1\nbegun 2\n"
    assert view.state == "completed", view.failed_task
    first, second = view.tasks[0].attempts
    assert first.failure is not None and first.failure.cause in ENGINES_FAULT
    assert first.exit_code != 0
    assert second.failure is None and second.exit_code == 0
    assert manager.client.log_file(name, "counted").read_text() == "early\nlate\n"
    until(lambda: not manager.containers("--filter", "label=air-executor.role=task"), 30)


@pytest.mark.parametrize("network", ["none", "job"])
@pytest.mark.parametrize("end", ["restarted", "killed"])
def test_10_with_live_restore_a_task_outlives_its_engine_and_is_taken_up_again(
    engine: OwnEngine, manager: RealManager, end: str, network: str
) -> None:
    engine.start("--live-restore")
    manager.start()
    script = "echo begun >> executions; echo early; while [ ! -e go ]; do sleep 0.1; done; echo late; exit 7"
    before = begin(manager, "outlives", script, network=network)
    engine.stop() if end == "restarted" else engine.kill()
    until(lambda: "does not answer" in manager.output(), 60)
    engine.start("--live-restore")
    (manager.client.store.folder("outlives").work / "go").touch()
    task, was = manager.client.wait("outlives", timeout=60).tasks[0], before.tasks[0]
    assert [attempt.container.id for attempt in task.attempts] == [was.attempts[0].container.id]
    assert task.failure is not None and (task.failure.cause, task.failure.exit_code) == ("exit", 7)
    assert task.started_at == was.started_at
    assert (manager.client.store.folder("outlives").work / "executions").read_text() == "begun\n"
    assert manager.client.log_file("outlives", "counted").read_text() == "early\nlate\n"


@pytest.mark.parametrize("network", ["none", "job"])
@pytest.mark.parametrize("end", [OwnEngine.stop, OwnEngine.kill, OwnEngine.kill_all])
def test_10_11_a_task_that_its_engine_takes_along_is_the_engines_fault_and_is_retried(
    engine: OwnEngine, manager: RealManager, end: Callable[[OwnEngine], None], network: str
) -> None:
    engine.start()
    manager.start()
    begin(manager, "taken-along", ONCE_SLOW, network=network)
    end(engine)
    until(lambda: "does not answer" in manager.output(), 60)
    engine.start()
    check_retried(manager, "taken-along")


def test_11_a_task_killed_with_its_engine_while_no_manager_ran_is_no_success_either(
    engine: OwnEngine, manager: RealManager
) -> None:
    engine.start()
    manager.start()
    begin(manager, "unseen", ONCE_SLOW, network="none")
    manager.kill()
    engine.kill_all()
    engine.start()
    manager.start()
    check_retried(manager, "unseen")


def test_11_a_task_that_died_with_its_engine_before_anybody_heard_of_its_start_is_no_failure_of_its_own(
    engine: OwnEngine, behind: RealManager, proxy: EngineProxy
) -> None:
    executions = behind.client.store.folder("unheard").work / "executions"

    def die() -> None:
        until(executions.exists)
        proxy.close()
        engine.kill_all()

    behind.start()
    trap = proxy.after(ANY_TASKS_START, die)
    task = {"id": "counted", "command": "sh", "args": ["-c", ONCE_SLOW], "network": "none"}
    behind.client.create_job("unheard", [task])
    assert trap.sprung.wait(30)
    engine.start()
    proxy.open()
    check_retried(behind, "unheard")


def test_11_a_task_that_began_is_not_begun_again_though_its_engine_died_before_it_noted_that(
    engine: OwnEngine, manager: RealManager, tmp_path: Path
) -> None:
    """The engine says `created` afterwards of a container whose command has run."""
    runtime = tmp_path / "slow-runc"
    runtime.write_text(SLOW_RUNTIME)
    runtime.chmod(0o755)
    slow = f"--add-runtime=slow={runtime}", "--default-runtime=slow"
    engine.start(*slow)
    manager.start()
    task = {"id": "counted", "command": "sh", "args": ["-c", ONCE_SLOW], "network": "none"}
    manager.client.create_job("unnoted", [task])
    executions = manager.client.store.folder("unnoted").work / "executions"
    until(executions.exists, 30, interval=0.001)
    engine.kill_all()
    engine.start(*slow)
    check_retried(manager, "unnoted")


def test_12_jobs_wait_for_an_engine_that_comes_after_the_manager(
    engine: OwnEngine, manager: RealManager
) -> None:
    starting = threading.Thread(target=manager.start)
    starting.start()
    until((manager.home / "output").exists)
    until(lambda: "does not answer" in manager.output(), 60)
    manager.client.create_job("early", TRUE)
    until(lambda: manager.client.status("early").state == "working")
    engine.start()
    starting.join()
    assert manager.client.wait("early", timeout=60).state == "completed"


def test_13_beside_a_frozen_engine_files_are_served_and_afterwards_all_goes_on(
    engine: OwnEngine, manager: RealManager
) -> None:
    engine.start()
    manager.start()
    begin(manager, "goes-on", "echo early; sleep 1; echo late", network="none")
    begin(manager, "to-cancel", "echo early; sleep 60", network="none")
    engine.freeze()
    manager.client.create_job("meanwhile", TRUE)
    until(lambda: manager.client.status("meanwhile").state == "working")
    manager.client.cancel("to-cancel")
    until(lambda: manager.client.status("to-cancel").tasks[0].attempts[0].stopping == "cancelled", 60)
    until(lambda: "does not answer" in manager.output(), 60)
    shown = air_executor(manager, "status")
    assert all(name in shown for name in ("goes-on", "to-cancel", "meanwhile"))
    engine.thaw()
    assert manager.client.wait("meanwhile", timeout=60).state == "completed"
    assert manager.client.wait("goes-on", timeout=60).state == "completed"
    assert manager.client.log_file("goes-on", "counted").read_text() == "early\nlate\n"
    failure = manager.client.wait("to-cancel", timeout=60).tasks[0].failure
    assert failure is not None and failure.cause == "cancelled"


def test_13_sigterm_ends_the_manager_beside_a_frozen_engine_and_the_next_one_goes_on(
    engine: OwnEngine, manager: RealManager
) -> None:
    engine.start()
    manager.start()
    before = begin(manager, "goes-on", "echo early; sleep 1; echo late", network="none")
    engine.freeze()
    manager.client.create_job("meanwhile", TRUE)
    until(lambda: manager.client.status("meanwhile").state == "working")
    began = time.monotonic()
    assert manager.stop() == 0
    assert time.monotonic() - began < 10, "ten seconds are what a service manager gives it"
    engine.thaw()
    manager.start()
    assert manager.client.wait("meanwhile", timeout=60).state == "completed"
    after = manager.client.wait("goes-on", timeout=60)
    assert [one.container.id for one in after.tasks[0].attempts] == [before.tasks[0].attempts[0].container.id]


def air_executor(manager: RealManager, *words: str) -> str:
    """What the command line says of the manager's home."""
    program = "from air_executor.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--home", str(manager.home), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout
