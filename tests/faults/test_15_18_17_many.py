"""FAULTS 15, 17, 18: names that are taken, many that end together, many that end at once."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from manager.model.containers import container_name
from manager.model.values import AttemptKey
from tests.engine_proxy import EngineProxy
from tests.real_manager import RealManager, docker, real_manager
from tests.waiting import until

RUNNER = "air-executor-runner:latest"
CREATE = rb"POST /v[0-9.]+/containers/create\?name=airx-conflict-"
TOGETHER = 200
"""Some 20 MB each, and one runner."""
AT_ONCE = 500


@dataclass(frozen=True)
class Stranger:
    """A container of somebody else's, put where the manager will look for its own."""

    command: tuple[str, ...]
    """The docker command that makes it."""
    status: str
    """What it is then, and must be afterwards."""


STRANGERS = {
    "that never ran": Stranger(("create", RUNNER, "true"), "created"),
    "that runs": Stranger(("run", "--detach", RUNNER, "sleep", "600"), "running"),
    "that ended well": Stranger(("run", RUNNER, "true"), "exited"),
}


@pytest.fixture
def crowd(
    request: pytest.FixtureRequest,
    proxy: EngineProxy,
    monkeypatch: pytest.MonkeyPatch,
    on_failure: Callable[..., None],
) -> Iterator[RealManager]:
    """A manager behind the door, with as many runners as the test asks for."""
    monkeypatch.setenv("DOCKER_HOST", proxy.address)
    with real_manager(max_runners=request.param) as manager:
        on_failure("the manager", manager.output)
        yield manager


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_15_a_foreign_container_under_the_very_name_is_left_as_it_is_and_another_name_is_taken(
    behind: RealManager, proxy: EngineProxy, stranger: Stranger
) -> None:
    behind.start()
    taken: list[str] = []

    def take_the_name() -> None:
        taken.append(name_to_be(behind))
        verb, *rest = stranger.command
        docker(verb, "--name", taken[0], "--label", "whose=somebody-else", *rest)

    trap = proxy.before(CREATE, take_the_name)
    try:
        behind.client.create_job("conflict", [{"id": "task", "command": "true", "network": "none"}])
        task = behind.client.wait("conflict", timeout=60).tasks[0]
        assert trap.sprung.is_set()
        (attempt,) = task.attempts
        assert (task.status, attempt.container.name) == ("completed", f"{taken[0]}.2")
        assert f"the container name {taken[0]} is taken" in behind.output()
        assert status_of(taken[0]) == stranger.status
    finally:
        for name in taken:
            subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


def name_to_be(manager: RealManager) -> str:
    """The name that the manager gives the container of the job's first attempt."""
    uid = until(lambda: manager.client.status("conflict").job.uid)
    home_id = (manager.home / "home-id").read_text().strip()
    return container_name(home_id, "conflict", AttemptKey(uid, "task", 1, 1))


def status_of(container: str) -> str:
    return docker("inspect", "--format", "{{.State.Status}}", container).strip()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("crowd", [TOGETHER], indirect=True)
def test_17_two_hundred_that_end_together_while_all_connections_break_are_all_found(
    crowd: RealManager, proxy: EngineProxy
) -> None:
    script = "while [ ! -e go ]; do sleep 0.5; done; echo $AIR_EXECUTOR_TASK"
    crowd.client.create_job("together", [sh(f"t{number}", script) for number in range(TOGETHER)])
    until(lambda: {task.status for task in crowd.client.status("together").tasks} == {"running"}, 400, 0.2)
    (crowd.client.store.folder("together").work / "go").touch()
    proxy.cut()
    check_all(crowd, "together")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("crowd", [16], indirect=True)
def test_18_tasks_that_end_at_once_all_have_their_exit_code_and_their_line(crowd: RealManager) -> None:
    crowd.client.create_job("at-once", [sh(f"t{n}", "echo $AIR_EXECUTOR_TASK") for n in range(AT_ONCE)])
    check_all(crowd, "at-once")


def sh(task_id: str, script: str) -> dict[str, object]:
    return {"id": task_id, "command": "sh", "args": ["-c", script], "network": "none"}


def check_all(manager: RealManager, name: str) -> None:
    """Each task of the job ran once, ended well, and said its own name."""
    view = manager.client.wait(name, timeout=400)
    assert view.state == "completed", view.failed_task
    assert {tuple(attempt.exit_code for attempt in task.attempts) for task in view.tasks} == {(0,)}
    folder = manager.client.store.folder(name)
    said = {task.id: folder.log_file(task.id).read_text() for task in view.tasks}
    assert said == {task.id: f"{task.id}\n" for task in view.tasks}
