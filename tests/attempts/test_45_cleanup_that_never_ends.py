"""A job writer, or a task, uses conditions to outlive a cancel, to go before others, or to get more.

Cleanup is bounded by its own timeout, and a second cancel ends it; what tasks queue does not outlive one.
A priority above the operator's is refused, and worth nothing in a record; defaults are checked as a task is.
"""

import json
from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.models import TaskSpec
from manager.core import admission
from manager.core.scheduler import Scheduler
from manager.model.facts import CancelRequested, TaskRequested
from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import Start, a_task, statuses
from tests.unit.manager.builders import UID, at, begun, key, live_job, no_pool, run, settings, take, task
from tests.unit.manager.core.test_admission import found
from tests.waiting import until

ENDLESS = {"command": "long", "run_if": "always"}


def cancel(marker: str) -> CancelRequested:
    return CancelRequested(uid=UID, marker=marker, at=at(5))


def test_cleanup_that_never_ends_is_ended_by_its_timeout(start: Start, engine: FakeEngine) -> None:
    manager = start(timeout=0.5)
    manager.client.create_job("job", [a_task("a", command="long"), a_task("clean", "a", **ENDLESS)])
    manager.until_status("a", "running")
    manager.client.cancel("job")
    view = manager.client.wait("job", 20)
    assert statuses(view) == {"a": "failed", "clean": "failed"}
    assert [task.failure and task.failure.cause for task in view.tasks] == ["cancelled", "timeout"]
    assert view.job.failure is not None and view.job.failure.cause == "cancelled"
    until(lambda: engine.names == [])


def test_a_second_cancel_ends_it_at_once(start: Start, engine: FakeEngine) -> None:
    manager = start()
    tasks = [a_task("a", command="long"), a_task("b", "a", **ENDLESS), a_task("c", "b", **ENDLESS)]
    manager.client.create_job("job", tasks)
    manager.until_status("a", "running")
    manager.client.cancel("job")
    manager.until_status("b", "running")
    manager.client.cancel("job")
    view = manager.client.wait("job", 20)
    assert statuses(view) == {"a": "failed", "b": "failed", "c": "skipped"}
    until(lambda: engine.names == [])


def test_a_second_cancel_does_not_wait_for_its_stop_grace(start: Start, engine: FakeEngine) -> None:
    """Neither for that of a task which the first one has told to stop."""
    engine.programs[("stubborn",)] = Program(seconds=None, ignores_term=True)
    manager = start()
    slow = {"command": "stubborn", "stop_grace": 600}
    manager.client.create_job("job", [a_task("a", **slow), a_task("clean", **slow, run_if="always")])
    for each in ("a", "clean"):
        manager.until_status(each, "running")
    manager.client.cancel("job")
    until(lambda: [call for call, _ in engine.calls].count("signal") >= 1)
    manager.client.cancel("job")
    view = manager.client.wait("job", 20)
    assert statuses(view) == {"a": "failed", "clean": "failed"}


def test_so_does_who_deletes_its_folder(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", command="three"), a_task("b", "a", **ENDLESS)])
    manager.until_status("b", "running")
    folder = manager.home / "jobs" / "job"
    for name in ("state.json", "tasks.json"):
        (folder / name).unlink()
    folder.rename(manager.home / "gone")
    until(lambda: engine.names == [])


def test_ten_thousand_of_them_leave_a_runner_to_a_neighbour_and_end_with_the_second_cancel() -> None:
    many = [task(f"t{number}", "a", run_if="always") for number in range(10_000)]
    job = begun(live_job(task("a", retries=0), *many, max_tasks=20_000), "a")
    job.apply(cancel("1"))
    run(job, "a", 143)
    assert len(job.ready) == 10_000
    neighbour = live_job(task("true"), uid="b" * 32, name="neighbour")
    assert "b.true" in take([job, neighbour], 3)
    job.apply(cancel("2"))
    assert not job.ready and not job.may_begin


def test_what_a_task_queues_does_not_outlive_the_first_cancel() -> None:
    job = begun(live_job(task("a", retries=0), task("b")), "a", "b")
    job.apply(cancel("1"))
    run_on = TaskSpec.model_validate(
        {"id": "q", "command": "true", "dependencies": ["a"], "run_if": "always"}
    )
    asked = TaskRequested(uid=UID, request="r", spec=run_on, parent=key("b"), at=at(6))
    job.apply(admission.requested(asked, job, settings()))
    assert job.tasks["q"].status == "skipped"


@pytest.mark.parametrize("run_if", ["success", "failure", "always"])
def test_a_cycle_is_refused_whatever_it_runs_after(run_if: str) -> None:
    tasks = (task("a", "b", run_if=run_if), task("b", "a", run_if="always"))
    with pytest.raises(BadInput, match="dependency cycle"):
        admission.take(found(*tasks), UID, settings())


def test_a_priority_is_refused_with_the_setting_and_worth_nothing_in_a_record() -> None:
    with pytest.raises(BadInput, match=r"priority: 100 is more .*\(setting `max_priority`\)"):
        admission.take(found(task("a"), priority=100), UID, settings())
    first = live_job(task("a"), uid="a" * 32, name="a-first")
    pushy = live_job(task("b"), uid="b" * 32, name="pushy", priority=100)
    assert take([pushy, first], 1) == ["a.a"]
    allowed = Scheduler("home", settings(max_runners=2, max_priority=100), no_pool())
    other = live_job(task("c"), uid="c" * 32, name="a-second")
    assert take([other, pushy], 2, allowed) == ["b.b", "c.c"]


def test_a_low_priority_waits_for_all_others() -> None:
    modest = live_job(task("a"), task("b"), uid="a" * 32, name="a-first", priority=-1)
    other = live_job(task("a"), task("b"), uid="b" * 32, name="other")
    assert take([modest, other], 3) == ["b.a", "b.b", "a.a"]


@pytest.mark.parametrize("field", ["priority", "on_failure", "defaults"])
def test_a_task_that_is_queued_has_no_say_in_its_job(field: str) -> None:
    with pytest.raises(BadInput, match=f"{field}: is (not a known field|a field of the job)"):
        validate(TaskSpec, {"id": "a", "command": "true", field: {}})


@pytest.mark.parametrize(
    ("defaults", "setting"),
    [
        ({"resources": {"pids": 5000}}, "max_pids"),
        ({"timeout": 1e9}, "max_timeout"),
        ({"user": "7"}, "users"),
    ],
)
def test_defaults_are_checked_as_a_task_is(defaults: dict[str, Any], setting: str) -> None:
    with pytest.raises(BadInput, match=setting):
        admission.take(found(task("a"), defaults=defaults), UID, settings())


def test_a_job_does_not_say_of_itself_how_far_it_was_called_off_or_how_long_it_may_take() -> None:
    said = {
        "halt": {"of": "work", "failure": {"cause": "exit", "message": "x"}},
        "limit": {"seconds": 1e9, "at": at(0)},
        "outcome": "completed_with_failures",
    }
    written = task("a", outcome="allowed_failure")
    job = admission.take(found(written, **said), UID, settings(max_job_timeout=60))
    assert (job.job.halt, job.job.outcome, job.tasks["a"].outcome) == (None, None, None)
    assert job.job.limit is not None and job.job.limit.seconds == 60


def test_what_is_wrong_in_a_file_written_by_hand_is_said_with_the_file(start: Start) -> None:
    manager = start()
    folder = manager.home / "jobs" / "job"
    folder.mkdir(parents=True)
    tasks = [{"id": "a", "command": "true", "created_at": "2025-10-02T07:30:15"}]
    (folder / "tasks.json").write_text(json.dumps(tasks))
    state = {"id": "1", "name": "job", "state": "waiting", "priority": 7}
    (folder / "state.json").write_text(json.dumps(state))
    view = manager.client.wait("job", 20)
    assert view.job.failure is not None
    assert f"{folder / 'state.json'}: priority: 7 is more than a job may ask for" in view.job.failure.message


def test_the_defaults_of_a_file_written_by_hand_are_its_tasks(start: Start) -> None:
    manager = start()
    folder = manager.home / "jobs" / "job"
    folder.mkdir(parents=True)
    (folder / "tasks.json").write_text(json.dumps([{"id": "a", "command": "true"}]))
    state = {"id": "1", "name": "job", "state": "waiting", "defaults": {"timeout": 5}, "mine": "kept"}
    (folder / "state.json").write_text(json.dumps(state))
    view = manager.client.wait("job", 20)
    assert view.state == "completed" and view.tasks[0].timeout == 5
    written = manager.state()
    assert "defaults" not in written and written["mine"] == "kept"
