"""A failed attempt is followed by another one where its cause is one that the task's policy names."""

from collections.abc import Callable, Iterator

import pytest

from air_executor import JobView, Task
from tests.real_manager import RealManager, docker, real_manager
from tests.waiting import until

PATIENCE = 60
TIMEOUT = 2
NEEDS_150_MB = "hold = bytearray(150 * 2**20); print('it fits')"
RUN = "echo run $AIR_EXECUTOR_ATTEMPT; echo $AIR_EXECUTOR_ATTEMPT >> /work/runs\n"


def sh(task_id: str, script: str, **fields: object) -> dict[str, object]:
    return {"id": task_id, "command": "sh", "args": ["-c", script], "network": "none"} | fields


def hungry(memory_mb: int, retries: dict[str, object] | int) -> dict[str, object]:
    return {
        "id": "hungry",
        "command": "python3",
        "args": ["-uc", NEEDS_150_MB],
        "network": "none",
        "resources": {"memory_mb": memory_mb},
        "retries": retries,
    }


@pytest.fixture(scope="module")
def shared() -> Iterator[RealManager]:
    with real_manager(timeout=TIMEOUT, retry_memory_mb=400) as manager:
        yield manager


@pytest.fixture
def manager(shared: RealManager, on_failure: Callable[..., None]) -> RealManager:
    on_failure("the manager and its containers", shared.evidence)
    return shared


def causes(task: Task) -> list[str | None]:
    return [attempt.failure.cause.value if attempt.failure else None for attempt in task.attempts]


def run(manager: RealManager, name: str, task: dict[str, object]) -> tuple[JobView, Task]:
    manager.client.create_job(name, [task])
    view = manager.client.wait(name, timeout=PATIENCE)
    return view, view.tasks[0]


def remove_when_running(manager: RealManager, name: str, number: int) -> str:
    """Take the container of the attempt away; the id that it had."""

    def running() -> str | None:
        task = manager.client.status(name).tasks[0]
        known = task.status == "running" and len(task.attempts) == number
        return task.attempts[-1].container.id if known else None

    container = until(running, PATIENCE)
    assert container is not None
    log = manager.client.log_file(name, "a")
    until(lambda: log.exists() and f"run {number}" in log.read_text(), PATIENCE)
    docker("rm", "--force", container)
    return container


def test_a_task_without_enough_memory_gets_more_until_it_fits(manager: RealManager) -> None:
    view, task = run(manager, "grows", hungry(100, {"max": 3, "on": ["oom"], "memory_factor": 2}))
    assert view.state == "completed"
    assert causes(task) == ["oom", None]
    assert [attempt.grant.memory_mb for attempt in task.attempts] == [100, 200]
    assert manager.client.log_file("grows", "hungry").read_text() == "it fits\n"
    # It said nothing before it was killed: the log of that attempt is there, and empty.
    assert manager.client.log_file("grows", "hungry").with_name("hungry.log.1").read_text() == ""


def test_more_memory_than_the_policy_allows_is_never_given(manager: RealManager) -> None:
    retries: dict[str, object] = {"max": 2, "memory_factor": 4, "memory_max_mb": 60}
    view, task = run(manager, "bounded", hungry(40, retries))
    assert view.state == "failed"
    assert causes(task) == ["oom"] * 3
    assert [attempt.grant.memory_mb for attempt in task.attempts] == [40, 60, 60]


def test_the_container_has_the_memory_that_the_record_says(manager: RealManager) -> None:
    script = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
    view, task = run(manager, "told", sh("a", script, resources={"memory_mb": 90}))
    assert view.state == "completed"
    assert task.attempts[0].grant.memory_mb == 90
    assert int(manager.client.log_file("told", "a").read_text()) == 90 * 2**20


def test_a_lost_container_is_tried_once_more_without_being_asked_for(manager: RealManager) -> None:
    script = f"{RUN}test $AIR_EXECUTOR_ATTEMPT = 2 || sleep 600"
    manager.client.create_job("lost-once", [sh("a", script, timeout=600)])
    first = remove_when_running(manager, "lost-once", 1)
    view = manager.client.wait("lost-once", timeout=PATIENCE)
    (task,) = view.tasks
    assert view.state == "completed"
    assert causes(task) == ["lost", None]
    assert task.attempts[0].container.id == first
    assert task.attempts[1].container.id != first
    folder = manager.client.store.folder("lost-once")
    assert (folder.work / "runs").read_text() == "1\n2\n"
    assert folder.log_file("a").read_text() == "run 2\n"
    assert (folder.logs / "a.log.1").read_text() == "run 1\n"


def test_a_container_that_is_lost_again_is_lost(manager: RealManager) -> None:
    manager.client.create_job("lost-twice", [sh("a", f"{RUN}sleep 600", timeout=600)])
    for number in (1, 2):
        remove_when_running(manager, "lost-twice", number)
    view = manager.client.wait("lost-twice", timeout=PATIENCE)
    assert view.state == "failed"
    assert causes(view.tasks[0]) == ["lost", "lost"]


def test_with_no_retries_a_lost_container_is_the_end(manager: RealManager) -> None:
    manager.client.create_job("lost", [sh("a", f"{RUN}sleep 600", timeout=600, retries=0)])
    remove_when_running(manager, "lost", 1)
    view = manager.client.wait("lost", timeout=PATIENCE)
    assert view.state == "failed"
    assert causes(view.tasks[0]) == ["lost"]


def test_a_cause_that_the_policy_does_not_name_is_the_end(manager: RealManager) -> None:
    view, task = run(manager, "other", sh("a", "exit 3", retries={"max": 5, "on": ["oom", "timeout"]}))
    assert view.state == "failed"
    assert causes(task) == ["exit"]
    view, task = run(manager, "says-nothing", sh("a", "exit 3"))
    assert view.state == "failed"
    assert causes(task) == ["exit"]


def test_a_task_that_says_nothing_is_ended_at_the_default_timeout_with_that_cause(
    manager: RealManager,
) -> None:
    view, task = run(manager, "default-timeout", sh("a", "echo on; while :; do sleep 0.1; done"))
    assert view.state == "failed"
    assert view.job.failure is not None and view.job.failure.cause == "timeout"
    assert causes(task) == ["timeout"]
    assert task.attempts[0].grant.timeout == TIMEOUT
    ran = task.attempts[0].timings.ran_ms
    assert ran is not None and ran >= TIMEOUT * 1000


def test_a_timeout_that_the_policy_names_is_tried_again_with_its_own_time(manager: RealManager) -> None:
    script = f"{RUN}test $AIR_EXECUTOR_ATTEMPT = 2 || while :; do sleep 0.1; done"
    view, task = run(manager, "slow-once", sh("a", script, retries={"max": 1, "on": ["timeout"]}))
    assert view.state == "completed"
    assert causes(task) == ["timeout", None]


def test_the_pause_before_an_attempt_doubles_and_each_attempt_keeps_its_log(manager: RealManager) -> None:
    pause = 0.8
    script = f"{RUN}test $AIR_EXECUTOR_ATTEMPT = 3"
    view, task = run(manager, "rests", sh("a", script, retries={"max": 2, "backoff": pause}))
    assert view.state == "completed"
    assert causes(task) == ["exit", "exit", None]
    for number, (before, after) in enumerate(zip(task.attempts, task.attempts[1:], strict=False)):
        recorded, created = before.timings.recorded_at, after.timings.created_at
        assert recorded is not None and created is not None
        assert (created - recorded).total_seconds() >= pause * 2**number
    folder = manager.client.store.folder("rests")
    logs = {file.name: file.read_text() for file in folder.logs.iterdir()}
    assert logs == {"a.log": "run 3\n", "a.log.1": "run 1\n", "a.log.2": "run 2\n"}
    assert [attempt.log for attempt in task.attempts] == ["logs/a.log.1", "logs/a.log.2", "logs/a.log"]
