"""The loop with all its real parts and threads, on the strict fake engine."""

import json
import shutil
import time
from datetime import timedelta
from pathlib import Path

import pytest

from air_executor.clock import instant
from manager.engine.contract import Status
from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import InProcess, Start, a_task, statuses
from tests.waiting import until


def no_containers(engine: FakeEngine) -> None:
    until(lambda: engine.names == [])


def test_a_chain_runs_in_order_and_leaves_nothing_behind(start: Start, engine: FakeEngine) -> None:
    manager = start()
    view = manager.run(a_task("c", "b"), a_task("a", command="echo hi"), a_task("b", "a"))
    assert view.state == "completed"
    assert statuses(view) == {"a": "completed", "b": "completed", "c": "completed"}
    assert engine.executions == [("job", "a", 1), ("job", "b", 1), ("job", "c", 1)]
    assert manager.log("a") == "hi\n"
    no_containers(engine)
    until(lambda: not list((manager.home / "journal").glob("*.journal")))


def test_every_field_that_readers_know_is_in_the_views(start: Start) -> None:
    manager = start()
    manager.run(a_task("a", command="echo hi"))
    state = manager.state()
    assert set(state) >= {"id", "name", "state", "created_at", "updated_at", "uid", "schema"}
    (entry,) = json.loads((manager.home / "jobs/job/tasks.json").read_text())
    known = (
        "id",
        "job_name",
        "command",
        "args",
        "dependencies",
        "status",
        "created_at",
        "started_at",
        "completed_at",
    )
    assert [entry[name] for name in known[:6]] == ["a", "job", "echo", ["hi"], [], "completed"]
    assert (entry["error"], entry["job_name"]) == (None, "job")
    (attempt,) = entry["attempts"]
    assert set(attempt["container"]) == {"id", "name", "image", "image_id"}
    order = ("ready_at", "created_at", "container_started_at", "started_at", "finished_at", "recorded_at")
    times = [attempt["timings"][name] for name in order]
    assert times == sorted(times)
    assert (entry["started_at"], entry["completed_at"]) == (times[3], times[4])
    assert all(len(time) == len("2025-10-02T07:30:15.123456Z") for time in times)


def test_tasks_run_beside_each_other_up_to_the_limit(start: Start, engine: FakeEngine) -> None:
    manager = start(max_runners=2)
    view = manager.run(*(a_task(f"t{number}", command="short") for number in range(12)))
    assert view.state == "completed"
    assert manager.most_runners == 2


def test_max_parallel_one_runs_one_after_the_other(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.run(*(a_task(f"t{number}", command="short") for number in range(4)), max_parallel=1)
    assert manager.most_runners == 1


@pytest.mark.parametrize(
    ("command", "cause", "exit_code", "words"),
    [
        ("three", "exit", 3, "task 'bad' ended with exit code 3"),
        ("hog", "oom", 137, "more memory than its limit"),
        ("nothing", "command", 127, "there is no command 'nothing'"),
        ("nowhere", "command", 127, "there is no command 'nowhere'"),
    ],
)
def test_a_failure_skips_the_rest_and_says_why(
    start: Start, engine: FakeEngine, command: str, cause: str, exit_code: int | None, words: str
) -> None:
    view = start().run(a_task("bad", command=command), a_task("after", "bad"))
    assert view.state == "failed"
    assert statuses(view) == {"bad": "failed", "after": "skipped"}
    bad = view.tasks[0]
    assert bad.failure is not None
    assert (bad.failure.cause, bad.failure.exit_code) == (cause, exit_code)
    assert words in bad.failure.message
    assert view.job.failure == bad.failure
    no_containers(engine)


def test_an_image_that_is_missing_is_a_cause_of_its_own(start: Start, engine: FakeEngine) -> None:
    view = start().run(a_task("bad", image="nobody/has:this"))
    assert view.job.failure is not None
    assert view.job.failure.cause == "image"
    no_containers(engine)


def test_what_runs_when_another_task_fails_may_finish(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("slow", command="long"), a_task("bad", command="three")])
    manager.until_status("bad", "failed")
    assert manager.state()["state"] == "working"
    container = engine.find("slow")
    assert container is not None
    assert container.status is Status.RUNNING
    engine.finish(container.id)
    assert statuses(manager.client.wait("job", 10)) == {"slow": "completed", "bad": "failed"}


def test_retries_get_containers_of_their_own_and_keep_the_logs(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", command="long", retries=1)])
    for attempt, code in ((1, 5), (2, 0)):
        found = until(lambda attempt=attempt: engine.find("a", attempt))
        until(lambda found=found: ("follow", found.id) in engine.calls)
        engine.finish(found.id, code, output=b"try %d\n" % attempt)
    view = manager.client.wait("job", 10)
    assert view.state == "completed"
    attempts = view.tasks[0].attempts
    assert [attempt.exit_code for attempt in attempts] == [5, 0]
    assert len({attempt.container.id for attempt in attempts}) == 2
    assert [attempt.log for attempt in attempts] == ["logs/a.log.1", "logs/a.log"]
    folder = manager.home / "jobs" / "job"
    assert [(folder / str(attempt.log)).read_text() for attempt in attempts] == ["try 1\n", "try 2\n"]


def test_a_log_that_came_with_a_copied_folder_does_not_swallow_the_new_output(start: Start) -> None:
    manager = start()
    manager.run(a_task("a", command="echo first"), name="one")
    copy = manager.home / "jobs" / ".copy"
    shutil.copytree(manager.home / "jobs" / "one", copy)
    state = manager.state("one") | {"name": "two", "state": "waiting"}
    tasks = [a_task("a", command="echo second")]
    (copy / "state.json").write_text(json.dumps(state))
    (copy / "tasks.json").write_text(json.dumps(tasks))
    copy.rename(manager.home / "jobs" / "two")
    view = manager.client.wait("two", 10)
    assert view.state == "completed"
    assert manager.log("a", "two") == "second\n"
    assert view.job.uid != manager.state("one")["uid"], "ids repeat when folders are copied"


def test_a_cancel_stops_what_runs_and_skips_the_rest(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", command="long"), a_task("b", "a")])
    manager.until_status("a", "running")
    manager.client.cancel("job")
    view = manager.client.wait("job", 10)
    assert statuses(view) == {"a": "failed", "b": "skipped"}
    assert view.job.failure is not None
    assert view.job.failure.cause == "cancelled"
    assert view.tasks[0].attempts[0].exit_code == 143
    no_containers(engine)


def test_a_task_that_ignores_sigterm_is_killed_after_the_grace_period(
    start: Start, engine: FakeEngine
) -> None:
    manager = start(cancel_grace=0.2)
    manager.client.create_job("job", [a_task("a", command="stubborn")])
    manager.until_status("a", "running")
    manager.client.cancel("job")
    view = manager.client.wait("job", 10)
    assert view.tasks[0].attempts[0].exit_code == 137
    assert [name for name, _ in engine.calls if name == "signal"] == ["signal", "signal"]


def test_a_job_that_is_cancelled_before_it_is_seen_runs_nothing(
    start: Start, engine: FakeEngine, tmp_path: Path
) -> None:
    manager = InProcess(tmp_path, engine)
    manager.client.create_job("job", [a_task("a")])
    manager.client.cancel("job")
    view = start().client.wait("job", 10)
    assert view.job.failure is not None
    assert view.job.failure.cause == "cancelled"
    assert engine.executions == []


def test_a_timeout_stops_the_task(start: Start, engine: FakeEngine) -> None:
    view = start().run(a_task("a", command="long", timeout=0.2))
    assert view.job.failure is not None
    assert view.job.failure.cause == "timeout"
    assert "longer than its timeout of 0.2 s" in view.job.failure.message


def test_a_folder_that_is_deleted_takes_its_containers_along(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", command="long")])
    manager.until_status("a", "running")
    # In one step: who deletes piece by piece races with views that are still being written.
    (manager.home / "jobs" / "job").rename(manager.home / "deleted")
    no_containers(engine)
    assert manager.run(a_task("a"), name="job").state == "completed", "the name may be used again"


def test_a_name_may_be_used_again_when_what_was_deleted_has_been_stopped(
    start: Start, engine: FakeEngine
) -> None:
    """There are never two live jobs of one name; the folder of the second waits untouched."""
    manager = start(cancel_grace=3600)
    manager.client.create_job("job", [a_task("a", command="stubborn")])
    manager.until_status("a", "running")
    old = engine.find("a")
    assert old is not None
    (manager.home / "jobs" / "job").rename(manager.home / "deleted")
    until(lambda: ("signal", old.id) in engine.calls)
    manager.client.create_job("job", [a_task("b", command="long")])
    assert manager.state()["state"] == "waiting"
    engine.finish(old.id, 137)
    until(lambda: old.name not in engine.names)
    manager.until_status("b", "running")
    manager.client.queue("job", a_task("c", command="echo mine"))
    manager.until_status("c", "completed")
    manager.client.cancel("job")
    assert statuses(manager.client.wait("job", 10)) == {"b": "failed", "c": "completed"}
    folder = manager.home / "jobs" / "job"
    assert not list(folder.glob("*.edited-*"))
    assert sorted(file.name for file in (folder / "logs").iterdir()) == ["b.log", "c.log"]


def request(task_id: str, *dependencies: str, command: str = "true") -> str:
    return json.dumps(a_task(task_id, *dependencies, command=command))


def test_a_task_that_is_asked_for_on_the_last_moment_runs_before_the_job_ends(
    start: Start, engine: FakeEngine
) -> None:
    engine.programs[("spawn",)] = Program(drops={"r1.json": request("b", command="spawn-again")})
    engine.programs[("spawn-again",)] = Program(drops={"r2.json": request("c", "a")})
    manager = start()
    view = manager.run(a_task("a", command="spawn"))
    assert view.state == "completed"
    assert statuses(view) == {"a": "completed", "b": "completed", "c": "completed"}
    assert [(decision.request, decision.accepted) for decision in view.job.requests] == [
        ("r1.json", True),
        ("r2.json", True),
    ]


def test_a_parent_and_fifty_tasks_that_all_ask_for_tasks_get_them_once(
    start: Start, engine: FakeEngine
) -> None:
    """FAULTS 22, on the fake."""
    parent = {f"p{number}.json": request(f"child{number}", command=f"child {number}") for number in range(50)}
    engine.programs[("parent",)] = Program(drops=parent)
    for number in range(50):
        drops = {f"c{number}.json": request(f"grandchild{number}", f"child{number}")}
        engine.programs[("child", str(number))] = Program(seconds=0.01, drops=drops)
    manager = start(max_runners=20)
    view = manager.run(a_task("parent", command="parent"), seconds=30)
    assert view.state == "completed"
    assert len(view.tasks) == 101
    assert len(engine.executions) == len(set(engine.executions)) == 101


def test_a_request_from_outside_is_taken_while_the_job_works(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", command="long")])
    manager.until_status("a", "running")
    manager.client.queue("job", a_task("b", command="echo late"))
    manager.until_status("b", "completed")
    container = engine.find("a")
    assert container is not None
    engine.finish(container.id)
    assert manager.client.wait("job", 10).state == "completed"


def test_a_request_that_breaks_a_rule_is_rejected_and_the_job_goes_on(
    start: Start, engine: FakeEngine
) -> None:
    drops = {
        "bad.json": "{",
        "cycle.json": request("x", "x"),
        "network.json": json.dumps(a_task("y", network="host")),
        "good.json": request("z"),
    }
    engine.programs[("spawn",)] = Program(drops=drops)
    manager = start()
    view = manager.run(a_task("a", command="spawn"))
    assert view.state == "completed"
    assert statuses(view) == {"a": "completed", "z": "completed"}
    reasons = {decision.request: decision.reason for decision in view.job.requests}
    assert "not JSON" in str(reasons["bad.json"])
    assert "cycle" in str(reasons["cycle.json"])
    assert "'host' is not allowed" in str(reasons["network.json"])
    assert reasons["good.json"] is None


def test_more_requests_than_are_read_at_once_are_all_read_before_the_job_ends(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from manager.folder import inbox

    monkeypatch.setattr(inbox, "MAX_AT_ONCE", 3)
    again = {f"r{number}.json": request("same") for number in range(10)}  # accepted, and nothing new
    engine.programs[("spawn",)] = Program(drops=again | {"s.json": request("last")})
    view = start().run(a_task("a", command="spawn"))
    assert statuses(view) == {"a": "completed", "same": "completed", "last": "completed"}


def test_an_edit_of_a_live_jobs_view_is_set_aside(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", command="long")])
    manager.until_status("a", "running")
    folder = manager.home / "jobs" / "job"
    (folder / "tasks.json").write_text("[]")
    aside = until(lambda: list(folder.glob("tasks.json.edited-*")))
    until(lambda: aside[0].read_text() == "[]")
    until(lambda: manager.until_status("a", "running"))


@pytest.mark.parametrize(
    "call", ["create", "start", "follow", "wait", "observe", "signal", "remove", "containers"]
)
def test_a_reply_that_is_lost_costs_no_task_and_doubles_none(
    start: Start, engine: FakeEngine, call: str
) -> None:
    """FAULTS 14, on the fake."""
    engine.lose_reply(call, times=2)
    manager = start()
    manager.client.create_job("job", [a_task("a", command="echo hi"), a_task("b", "a", command="long")])
    manager.until_status("b", "running")
    manager.client.cancel("job")
    view = manager.client.wait("job", 20)
    assert statuses(view) == {"a": "completed", "b": "failed"}
    assert engine.executions == [("job", "a", 1), ("job", "b", 1)]
    assert manager.log("a") == "hi\n"
    no_containers(engine)


def test_the_network_of_a_job_is_shared_and_goes_with_the_job(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", command="long"), a_task("b", command="long")])
    for name in "ab":
        manager.until_status(name, "running")
    networks = [name for name in engine.names if "-network-" in name]
    assert len(networks) == 1
    manager.client.cancel("job")
    manager.client.wait("job", 10)
    no_containers(engine)


def test_a_deadline_that_passed_while_no_manager_ran_counts(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start()
    first.client.create_job("job", [a_task("a", command="long", timeout=60)])
    first.until_status("a", "running")
    first.stop()
    now = instant()
    a_minute_later = now.model_copy(update={"seconds": now.seconds + 60})
    monkeypatch.setattr("manager.runtime.dispatcher.instant", lambda: a_minute_later)
    view = start().client.wait("job", 10)
    assert view.job.failure is not None
    assert view.job.failure.cause == "timeout"


def test_a_cancel_that_was_asked_for_while_no_manager_ran_is_done(start: Start, engine: FakeEngine) -> None:
    first = start()
    first.client.create_job("job", [a_task("a", command="long"), a_task("b", "a")])
    first.until_status("a", "running")
    first.stop()
    first.client.cancel("job")
    view = start().client.wait("job", 10)
    assert view.job.failure is not None
    assert view.job.failure.cause == "cancelled"
    no_containers(engine)


def test_many_short_jobs_at_once_all_end_well(start: Start, engine: FakeEngine) -> None:
    manager = start()
    for number in range(30):
        manager.client.create_job(f"job{number}", [a_task("a"), a_task("b", "a"), a_task("c", "a")])
    for number in range(30):
        assert manager.client.wait(f"job{number}", 30).state == "completed"
    assert len(engine.executions) == 90
    no_containers(engine)


def test_memory_grows_and_the_pause_is_kept_as_the_policy_says(start: Start, engine: FakeEngine) -> None:
    policy = {"max": 2, "on": ["oom"], "backoff": 0.2, "memory_factor": 2}
    manager = start(memory_mb=100)
    view = manager.run(a_task("a", command="hog", retries=policy))
    attempts = view.tasks[0].attempts
    assert [attempt.grant.memory_mb for attempt in attempts] == [100, 200, 400]
    assert view.tasks[0].failure is not None and view.tasks[0].failure.cause == "oom"
    recorded = [attempt.timings.recorded_at for attempt in attempts]
    ready = [attempt.timings.ready_at for attempt in attempts]
    assert ready[1] - recorded[0] >= timedelta(seconds=0.2)  # type: ignore[operator]
    assert ready[2] - recorded[1] >= timedelta(seconds=0.4)  # type: ignore[operator]


def test_below_the_floor_of_free_space_nothing_is_started_and_that_is_said(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", command="long"), a_task("b", "a")])
    manager.until_status("a", "running")
    monkeypatch.setattr("manager.daemon.disk.shortage", lambda *_: "there is no room")
    container = engine.find("a")
    assert container is not None
    engine.finish(container.id)
    manager.until_status("a", "completed")
    until(lambda: manager.problem == "no further task is started: there is no room")
    assert [task for _, task, _ in engine.executions] == ["a"]
    monkeypatch.undo()
    assert manager.client.wait("job", 10).state == "completed"


def test_an_image_that_was_removed_while_tasks_waited_for_a_runner_costs_one_attempt(
    start: Start, engine: FakeEngine
) -> None:
    engine.images.add("late:1")
    manager = start(max_runners=1, look_ahead=0)
    tasks = [
        a_task("x", image="late:1", retries=0, allow_failure=True),
        a_task("y", image="late:1", retries=0),
        a_task("w", command="long"),
    ]
    manager.client.create_job("job", tasks)
    manager.until_status("w", "running")
    until(lambda: ("fetch", "late:1") in engine.calls)
    time.sleep(0.3)  # it is told, and both wait for the runner
    engine.images.discard("late:1")
    fetch = engine.fetch

    def from_the_registry(image: str) -> None:
        engine.images.add(image)
        fetch(image)

    engine.fetch = from_the_registry  # type: ignore[method-assign]
    (box,) = [found for found in [engine.find("w")] if found is not None]
    engine.finish(box.id)
    view = manager.client.wait("job", 10)
    assert {each.id: str(each.status) for each in view.tasks} == {
        "w": "completed",
        "x": "failed",
        "y": "completed",
    }
