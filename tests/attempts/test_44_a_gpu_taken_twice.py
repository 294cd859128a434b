"""Jobs ask for a GPU that another has, and the manager is killed meanwhile; or for a runtime of their choice.

The engine is one of the test's own: with a hook for GPUs in its path that does nothing, so that it takes what
is asked of it as one does that has some, and tells each container which it has; and with a further runtime.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from air_executor import JobView
from tests.own_engine import OwnEngine
from tests.real_manager import RealManager, docker, need_engine, real_manager
from tests.waiting import until

NO_HOOK = "#!/bin/sh\ncat > /dev/null\n"
NOTING_RUNTIME = '#!/bin/sh\necho "$@" >> {notes}\nexec runc "$@"\n'
UNTIL_TOLD = 'until [ -e go ]; do sleep 0.05; done; echo "$NVIDIA_VISIBLE_DEVICES"'


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs that the engine finds."""
    folder = tmp_path_factory.mktemp("tools")
    for name, text in {
        "nvidia-container-runtime-hook": NO_HOOK,
        "noting": NOTING_RUNTIME.format(notes=folder / "notes"),
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def manager(tools: Path) -> Iterator[RealManager]:
    need_engine()
    with pytest.MonkeyPatch.context() as patch, OwnEngine() as engine:
        patch.setenv("PATH", str(tools), prepend=":")
        engine.start(f"--add-runtime=noting={tools}/noting", "--add-runtime=nvidia=runc")
        engine.load()
        patch.setenv("DOCKER_HOST", engine.address)
        with real_manager(gpus=2, runtimes='["noting", "gone"]', poll_interval=1) as manager:
            yield manager


def sh(name: str, script: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "command": "sh", "args": ["-c", script], "network": "none"} | fields


def gpus(asked: int | list[str]) -> dict[str, Any]:
    return {"resources": {"gpus": asked}}


def granted(view: JobView) -> list[tuple[str, ...]]:
    return [each.grant.gpus for task in view.tasks for each in task.attempts if each.grant]


def test_a_gpu_is_given_to_nobody_else_also_after_the_manager_was_killed(manager: RealManager) -> None:
    client = manager.client
    client.create_job("has-both", [sh("a", UNTIL_TOLD, **gpus(2))])
    until(lambda: client.status("has-both").tasks[0].status == "running")
    client.create_job(
        "wants-one", [sh("a", 'echo "$NVIDIA_VISIBLE_DEVICES"', **gpus(["1"])), sh("b", "true")]
    )
    until(lambda: client.status("wants-one").tasks[1].status == "completed")
    manager.kill()
    manager.start()
    client.create_job("wants-none", [sh("a", "true")])
    assert client.wait("wants-none", 30).state == "completed"
    assert client.status("wants-one").tasks[0].attempts == ()
    assert client.status("has-both").tasks[0].status == "running"
    (manager.home / "jobs" / "has-both" / "work" / "go").touch()
    had, got = client.wait("has-both", 30), client.wait("wants-one", 30)
    assert (granted(had), client.log_tail("has-both", "a", 1)) == ([("0", "1")], "0,1")
    assert (granted(got)[0], client.log_tail("wants-one", "a", 1)) == (("1",), "1")
    recorded, began = had.tasks[0].attempts[0].timings, got.tasks[0].attempts[0].timings
    assert recorded.finished_at is not None and began.created_at is not None
    assert recorded.finished_at <= began.created_at


def test_a_variable_gets_a_task_no_gpu(manager: RealManager) -> None:
    """With the runtime `nvidia` it would; that looks at what the container was made with."""
    greedy = sh("a", "until [ -e go ]; do sleep 0.05; done", env={"NVIDIA_VISIBLE_DEVICES": "all"})
    manager.client.create_job("greedy", [greedy])
    (name,) = until(lambda: manager.containers("--filter", "label=air-executor.job=greedy"))
    variables = docker("inspect", "--format", "{{json .Config.Env}}", name)
    (manager.home / "jobs" / "greedy" / "work" / "go").touch()
    assert '"NVIDIA_VISIBLE_DEVICES=void"' in variables and "=all" not in variables
    assert manager.client.wait("greedy", 30).state == "completed"


def test_a_container_is_run_by_the_runtime_that_is_asked_for_and_by_no_other(
    manager: RealManager, tools: Path
) -> None:
    view = run(manager, "noting", sh("a", "echo told", runtime="noting"))
    assert (view.state, manager.client.log_tail("noting", "a", 1)) == ("completed", "told")
    container = view.tasks[0].attempts[0].container.id
    assert container is not None and container in (tools / "notes").read_text()


def test_a_runtime_that_the_engine_does_not_know_fails_its_task_once(manager: RealManager) -> None:
    (task,) = run(manager, "gone", sh("a", "true", runtime="gone", retries=3)).tasks
    assert task.failure is not None and task.failure.cause == "bad_input"
    assert "no runtime 'gone', which the setting `runtimes` allows" in task.failure.message
    assert len(task.attempts) == 1


def run(manager: RealManager, name: str, *tasks: dict[str, Any]) -> JobView:
    manager.client.create_job(name, list(tasks))
    return manager.client.wait(name, 30)
