"""FAULTS 22, 23, 31: tasks that queue tasks: many at once, twice, differently, for ever."""

from tests.faults.conftest import MAX_TASKS
from tests.real_manager import RealManager

CHILDREN = 25


def sh(task_id: str, script: str, **fields: object) -> dict[str, object]:
    return {"id": task_id, "command": "sh", "args": ["-c", script], "network": "none"} | fields


def test_22_a_parent_and_its_many_children_all_queue_tasks_one_of_them_while_exiting(
    served: RealManager,
) -> None:
    child = "queue-task --id grandchild-\\$AIR_EXECUTOR_TASK -- sh -c 'echo run >> runs'"
    parent = (
        f'for i in $(seq {CHILDREN}); do queue-task --id child$i -- sh -c "{child}"; done\n'
        "exec queue-task --id last -- sh -c 'echo run >> runs'"
    )
    served.client.create_job("many", [sh("parent", parent)])
    view = served.client.wait("many", timeout=200)
    assert view.state == "completed"
    assert len(view.tasks) == 1 + CHILDREN + 1 + CHILDREN
    assert all(len(task.attempts) == 1 for task in view.tasks)
    assert sum(decision.accepted for decision in view.job.requests) == 2 * CHILDREN + 1
    runs = (served.client.store.folder("many").work / "runs").read_text()
    assert runs.split() == ["run"] * (CHILDREN + 1)


def test_23_the_same_task_twice_is_no_op_and_another_body_is_a_conflict_that_is_named(
    served: RealManager,
) -> None:
    script = (
        "queue-task --id twin -- sh -c 'echo run >> runs'\n"
        "queue-task --id twin -- sh -c 'echo run >> runs'\n"
        "queue-task --id twin -- rm -rf /\n"
        "queue-task --id parent -- true\n"
    )
    served.client.create_job("twice", [sh("parent", script)])
    view = served.client.wait("twice", timeout=60)
    assert view.state == "completed"
    assert [task.id for task in view.tasks] == ["parent", "twin"]
    assert [(decision.task, decision.accepted) for decision in view.job.requests] == [
        ("twin", True),
        ("twin", True),
        ("twin", False),
        ("parent", False),
    ]
    assert view.job.requests[2].reason == "another task with this id exists"
    assert (served.client.store.folder("twice").work / "runs").read_text() == "run\n"


def test_31_tasks_that_queue_themselves_for_ever_are_stopped_at_a_limit_that_is_named(
    served: RealManager,
) -> None:
    script = 'echo "$1" >> runs; for i in $(seq 3); do queue-task --id t$1-$i -- sh -c "$0" "$0" $1-$i; done'
    task = {"id": "t0", "command": "sh", "args": ["-c", script, script, "0"], "network": "none"}
    served.client.create_job("for-ever", [task])
    view = served.client.wait("for-ever", timeout=200)
    assert len(view.tasks) == MAX_TASKS
    reasons = {decision.reason for decision in view.job.requests if not decision.accepted}
    assert reasons == {f"the job has {MAX_TASKS} tasks, the limit is max_tasks = {MAX_TASKS}"}
    assert view.state == "completed"
