"""Jobs that have ended run again; folders that were damaged are put right, or refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from air_executor.format.models import JobView
from tests.fakes.engine import FOREVER, FakeEngine, Program
from tests.fakes.manager import InProcess, Start, a_task, statuses
from tests.waiting import until


def cheer_up(engine: FakeEngine) -> None:
    """From now on the command `moody` ends well."""
    engine.programs[("moody",)] = Program(output=b"yes\n")


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    made = FakeEngine({("moody",): Program(exit_code=3, output=b"no\n"), ("long",): FOREVER})
    yield made
    made.check()


def failed_job(manager: InProcess) -> JobView:
    view = manager.run(a_task("a"), a_task("b", "a", command="moody"), a_task("c", "b"))
    assert statuses(view) == {"a": "completed", "b": "failed", "c": "skipped"}
    return view


def again(manager: InProcess, engine: FakeEngine) -> JobView:
    cheer_up(engine)
    manager.client.retry("job")
    return manager.client.wait("job", 10)


def test_a_retry_runs_what_failed_and_what_was_skipped_and_keeps_the_old_records(
    start: Start, engine: FakeEngine
) -> None:
    manager = start(look_ahead=0)  # so that nothing of c is recorded before
    before = failed_job(manager)
    view = again(manager, engine)
    assert view.state == "completed"
    assert view.job.failure is None
    assert statuses(view) == {"a": "completed", "b": "completed", "c": "completed"}
    assert engine.executions == [("job", "a", 1), ("job", "b", 1), ("job", "b", 2), ("job", "c", 1)]
    first, second = view.tasks[1].attempts
    assert first.failure == before.tasks[1].attempts[0].failure
    assert (first.exit_code, second.exit_code) == (3, 0)
    assert first.log is not None
    assert (manager.home / "jobs/job" / first.log).read_text() == "no\n"
    assert manager.log("b") == "yes\n"
    assert not (manager.home / "jobs/job/retry").exists()


def test_a_retry_of_a_cancelled_job_is_not_cancelled_again(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", command="long"), a_task("b", "a")])
    manager.until_status("a", "running")
    manager.client.cancel("job")
    assert manager.client.wait("job", 10).state == "failed"
    engine.programs[("long",)] = Program()
    view = again(manager, engine)
    assert view.state == "completed"


def test_a_retry_may_fail_and_be_retried_again(start: Start, engine: FakeEngine) -> None:
    manager = start()
    failed_job(manager)
    manager.client.retry("job")
    assert manager.client.wait("job", 10).state == "failed"
    view = again(manager, engine)
    assert [attempt.exit_code for attempt in view.tasks[1].attempts] == [3, 3, 0]


def test_a_retry_that_was_asked_for_while_no_manager_ran_is_done(start: Start, engine: FakeEngine) -> None:
    first = start()
    failed_job(first)
    first.stop()
    first.client.retry("job")
    cheer_up(engine)
    second = start()
    assert second.client.wait("job", 10).state == "completed"


def test_a_retry_of_a_job_whose_files_were_spoiled_is_refused_and_nothing_runs(
    start: Start, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    manager = start()
    failed_job(manager)
    before = list(engine.executions)
    folder = manager.home / "jobs/job"
    (folder / "tasks.json").write_text("[")
    (folder / "retry").touch()
    until(lambda: not (folder / "retry").exists())
    assert "can't be run again" in caplog.text
    assert engine.executions == before


def test_a_reset_starts_over_without_records_logs_work_and_queued_tasks(
    start: Start, engine: FakeEngine
) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a"), a_task("b", "a", command="moody")])
    manager.client.queue("job", a_task("queued"))
    view = manager.client.wait("job", 10)
    assert set(statuses(view)) == {"a", "b", "queued"}
    kept = manager.home / "jobs/job/work/kept"
    kept.write_text("from before")
    cheer_up(engine)
    manager.client.reset("job")
    view = manager.client.wait("job", 10)
    assert view.state == "completed"
    assert statuses(view) == {"a": "completed", "b": "completed"}
    assert [len(task.attempts) for task in view.tasks] == [1, 1]
    assert view.job.requests == ()
    assert not kept.exists()
    assert not (manager.home / "jobs/job/reset").exists()


def test_a_reset_by_hand_that_would_lose_what_a_job_was_created_with_is_passed_over(
    start: Start, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    manager = start()
    view = manager.run(a_task("a"), files={"kept": b"1"})
    (manager.home / "jobs/job/reset").touch()
    until(lambda: not (manager.home / "jobs/job/reset").exists())
    assert "was created with files in its work/" in caplog.text
    assert (manager.home / "jobs/job/work/kept").read_bytes() == b"1"
    assert manager.client.status("job").job.updated_at == view.job.updated_at
    assert manager.run(a_task("a"), name="other").state == "completed"


def test_a_retry_has_the_files_still(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.run(a_task("a", command="moody"), files={"kept": b"1"})
    (manager.home / "jobs/job/work/kept").write_bytes(b"2")
    cheer_up(engine)
    manager.client.retry("job")
    assert manager.client.wait("job", 10).state == "completed"
    assert (manager.home / "jobs/job/work/kept").read_bytes() == b"2"


def test_a_job_refused_for_its_files_runs_after_they_were_corrected_and_it_was_reset(
    start: Start, engine: FakeEngine
) -> None:
    manager = start()
    folder = manager.home / "jobs/job"
    folder.mkdir(parents=True)
    tasks = [{"id": "a", "command": "true", "dependencies": ["nobody"]}]
    (folder / "state.json").write_text(json.dumps({"id": "1", "name": "job", "state": "waiting"}))
    (folder / "tasks.json").write_text(json.dumps(tasks))
    until(lambda: manager.client.status("job").state == "failed")
    entries = json.loads((folder / "tasks.json").read_text())
    entries[0]["dependencies"] = []
    (folder / "tasks.json").write_text(json.dumps(entries))
    manager.client.reset("job")
    assert manager.client.wait("job", 10).state == "completed"


def test_a_job_that_works_is_neither_reset_nor_retried(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", command="long")])
    manager.until_status("a", "running")
    folder = manager.home / "jobs/job"
    for marker in ("retry", "reset"):
        (folder / marker).touch()
        manager.client.store.wake_file("job").touch()
    manager.client.cancel("job")
    until(lambda: manager.client.status("job").state == "failed")
    assert len(manager.client.status("job").tasks[0].attempts) == 1


@pytest.mark.parametrize("rubbish", ["", "{", "\0" * 100, '{"id": "x", "name": "job", "state": "working"}'])
def test_a_damaged_record_of_an_ended_job_is_put_right_at_the_next_start(
    start: Start, engine: FakeEngine, rubbish: str
) -> None:
    first = start()
    ended = failed_job(first)
    until(lambda: not list((first.home / "journal").glob("*.journal")))
    first.stop()
    file = first.home / "jobs/job/state.json"
    if "working" in rubbish:
        rubbish = json.dumps(json.loads(file.read_text()) | {"state": "working"})
    file.write_text(rubbish)
    second = start()
    until(lambda: isinstance(second.client.store.folder("job").look(), JobView))
    until(lambda: second.state()["state"] == "failed")
    view = second.client.status("job")
    assert view.job == ended.job
    assert view.tasks == ended.tasks
    if "working" not in rubbish:
        assert list(file.parent.glob("state.json.refused-*"))


def test_a_job_whose_journal_was_damaged_fails_and_names_what_is_left_of_it(
    start: Start, engine: FakeEngine
) -> None:
    first = start()
    first.client.create_job("job", [a_task("a", command="long"), a_task("b", "a")])
    first.until_status("a", "running")
    first.stop()
    (journal,) = (first.home / "journal").glob("*.journal")
    journal.write_bytes(b"rubbish\n" + journal.read_bytes())
    container = next(name for name in engine.names if "-job-a-1-" in name)
    engine.finish(container, 0)
    engine.observe(container)  # else the fake would not let it go: nobody knows its outcome
    second = start()
    until(lambda: second.state()["state"] == "failed")
    assert f"journal/{journal.name}.damaged" in second.state()["failure"]["message"]
    until(lambda: engine.names == [])


def test_a_folder_made_anew_under_the_name_of_a_live_job_while_no_manager_ran_is_another_job(
    start: Start, engine: FakeEngine
) -> None:
    first = start()
    first.client.create_job("job", [a_task("a", command="long")])
    first.until_status("a", "running")
    first.stop()
    (first.home / "jobs/job").rename(first.home / "old")
    first.client.create_job("job", [a_task("other")])
    second = start()
    view = second.client.wait("job", 10)
    assert statuses(view) == {"other": "completed"}
    until(lambda: engine.names == [])


def test_bad_jobs_are_refused_and_others_go_on(start: Start, engine: FakeEngine) -> None:
    manager = start()
    cycle = manager.home / "jobs" / "cycle"
    cycle.mkdir(parents=True)
    (cycle / "state.json").write_text(json.dumps({"id": "1", "name": "cycle"}))
    (cycle / "tasks.json").write_text(json.dumps([a_task("a", "b"), a_task("b", "a")]))
    junk = manager.home / "jobs" / "junk"
    junk.mkdir()
    (junk / "state.json").write_bytes(b"\0" * 100)
    (junk / "tasks.json").write_text("[]")
    assert manager.run(a_task("a"), name="good").state == "completed"
    for name, words in (("cycle", "dependency cycle: a -> b -> a"), ("junk", "is not JSON")):
        view = until(lambda name=name: (manager.home / "jobs" / name).is_dir() and ended(manager, name))
        assert view["state"] == "failed"
        assert view["failure"]["cause"] == "bad_input"
        assert words in view["failure"]["message"]
    assert {job for job, _, _ in engine.executions} == {"good"}
    assert [file.name for file in junk.glob("state.json.refused-*")] != [], "what was there is kept"


def ended(manager: InProcess, name: str) -> Any:
    try:
        state = manager.state(name)
    except (OSError, ValueError):
        return None
    return state if state["state"] == "failed" else None


def test_a_job_with_other_fields_that_are_nested_without_end_is_refused_and_others_go_on(
    start: Start,
) -> None:
    manager = start()
    folder = manager.home / "jobs/deep"
    folder.mkdir(parents=True)
    deep = '{"id": "1", "name": "deep", "state": "waiting", "more": ' + "[" * 300 + "]" * 300 + "}"
    (folder / "state.json").write_text(deep)
    (folder / "tasks.json").write_text('[{"id": "a", "command": "true"}]')
    assert manager.run(a_task("a"), name="other").state == "completed"
    until(lambda: manager.state("deep")["state"] == "failed")
    assert "nested too deeply" in manager.state("deep")["failure"]["message"]
