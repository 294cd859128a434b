"""FAULTS 1, 2, 3, 6, 7: the manager is killed (-9) just before or just after a call to the engine."""

import pytest

from tests.engine_proxy import EngineProxy
from tests.real_manager import RealManager

COUNTED = "echo begun >> executions; echo out; exit 7"
CREATE = rb"POST /v[0-9.]+/containers/create\?name=airx-job-counted-"
START = rb"POST /v[0-9.]+/containers/%s/start"
ANY_TASKS_START = rb"POST /v[0-9.]+/containers/(?!airx-probe)[0-9a-f]{64}/start"


def submit(manager: RealManager) -> None:
    task = {"id": "counted", "command": "sh", "args": ["-c", COUNTED], "network": "none"}
    manager.client.create_job("job", [task, {"id": "next", "command": "true", "dependencies": ["counted"]}])


def check(manager: RealManager) -> None:
    """One attempt, one execution, its own exit code, all of its output, and nothing left."""
    view = manager.client.wait("job", timeout=60)
    task, later = view.tasks
    assert view.state == "failed"
    assert (task.status, later.status) == ("failed", "skipped")
    assert task.failure is not None
    assert (task.failure.cause, task.failure.exit_code) == ("exit", 7), task.failure.message
    assert len(task.attempts) == 1
    folder = manager.client.store.folder("job")
    assert (folder.work / "executions").read_text() == "begun\n"
    assert folder.log_file("counted").read_text() == "out\n"
    assert manager.containers("--filter", "label=air-executor.role=task") == []


@pytest.mark.parametrize(
    ("when", "request_line"),
    [
        ("before", CREATE),
        ("after", CREATE),
        ("before", ANY_TASKS_START),
        ("after", ANY_TASKS_START),
        ("after", rb"GET /v[0-9.]+/containers/[0-9a-f]{64}/logs"),
        ("before", rb"DELETE /v[0-9.]+/containers/[0-9a-f]{64}"),
        ("after", rb"DELETE /v[0-9.]+/containers/[0-9a-f]{64}"),
    ],
    ids=[
        "01 claimed, before create",
        "02 created, before the id is known",
        "02 created, before start",
        "03 started, before that is recorded",
        "06 ended, before that is recorded",
        "07 recorded, before removal",
        "07 removed, before that is recorded",
    ],
)
def test_a_manager_that_is_killed_in_between_leaves_work_that_the_next_one_ends_well(
    behind: RealManager, proxy: EngineProxy, when: str, request_line: bytes
) -> None:
    behind.start()
    trap = getattr(proxy, when)(request_line, behind.kill)
    submit(behind)
    assert trap.sprung.wait(30), "the manager never made that call"
    behind.start()
    check(behind)


@pytest.mark.parametrize(
    "request_line",
    [
        CREATE,
        ANY_TASKS_START,
        rb"GET /v[0-9.]+/containers/[0-9a-f]{64}/logs",
        rb"GET /v[0-9.]+/containers/[0-9a-f]{64}/json",
        rb"DELETE /v[0-9.]+/containers/[0-9a-f]{64}",
    ],
    ids=["create", "start", "logs", "inspect", "remove"],
)
def test_14_a_reply_that_is_lost_costs_nothing_and_doubles_nothing(
    behind: RealManager, proxy: EngineProxy, request_line: bytes
) -> None:
    behind.start()
    traps = [proxy.after(request_line, lambda: None) for _ in range(2)]
    submit(behind)
    check(behind)
    assert traps[0].sprung.is_set()
