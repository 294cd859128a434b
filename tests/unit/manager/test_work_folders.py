"""The work folder of a job, from its making to its end: in the manager's own, and the job's alone."""

import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from manager.folder import acl, sharing
from manager.runtime import workers
from manager.runtime.workers import Workers
from tests.attempts.other_user import needs_root
from tests.fakes.engine import FakeEngine, NotingEngine, Program
from tests.fakes.manager import InProcess, Start, a_task
from tests.waiting import until

WRITE = a_task("a", command="write")
NEEDS = a_task("a", command="needs")
PROGRAMS = {
    ("write",): Program(writes={"result": "of before"}),
    ("needs",): Program(looks_for="result"),
    ("three",): Program(exit_code=3),
    ("ask",): Program(drops={"r.json": json.dumps(a_task("asked"))}),
}


@pytest.fixture
def engine() -> Iterator[NotingEngine]:
    made = NotingEngine(PROGRAMS)
    yield made
    made.check()


def folder(manager: InProcess, job: str = "job") -> Path:
    """Where the job's folder leads."""
    return (manager.home / "jobs" / job / "work").resolve()


def works(manager: InProcess) -> set[Path]:
    return set((manager.home / "work").iterdir())


def test_a_job_that_is_tried_again_goes_on_in_its_work_folder(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.run(WRITE, a_task("b", "a", command="three", retries=0))
    before = folder(manager)
    engine.programs[("three",)] = Program(looks_for="result")
    manager.client.retry("job")
    until(lambda: manager.state()["state"] == "completed")
    assert folder(manager) == before
    assert (before / "result").read_text() == "of before"


def test_a_job_that_starts_over_gets_another_and_the_one_before_goes(
    start: Start, engine: FakeEngine
) -> None:
    manager = start()
    manager.run(WRITE)
    before = folder(manager)
    engine.programs[("write",)] = Program()
    manager.client.reset("job")
    until(lambda: (manager.home / "jobs" / "job" / "work").exists() and folder(manager) != before)
    until(lambda: manager.state()["state"] == "completed")
    assert not (folder(manager) / "result").exists()
    until(lambda: works(manager) == {folder(manager)})


def test_what_is_left_of_a_job_goes_with_its_folder(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.run(WRITE, name="kept")
    manager.run(WRITE)
    shutil.rmtree(manager.home / "jobs" / "job")
    until(lambda: works(manager) == {folder(manager, "kept")})
    assert manager.journal.ended("job") is None
    assert manager.journal.ended("kept") is not None


def test_and_where_the_folder_went_while_no_manager_ran(start: Start, engine: FakeEngine) -> None:
    first = start()
    first.run(WRITE, name="kept")
    first.run(WRITE)
    first.stop()
    shutil.rmtree(first.home / "jobs" / "job")
    second = start()
    until(lambda: works(second) == {folder(second, "kept")})


def test_also_where_the_job_had_not_been_put_away_yet(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start()
    first.run(WRITE, name="kept")
    monkeypatch.setattr(first.supervisor._recorder, "end", lambda job: None)  # it is killed right before
    first.run(WRITE)
    first.stop()
    shutil.rmtree(first.home / "jobs" / "job")
    second = start()
    until(lambda: works(second) == {folder(second, "kept")})
    assert second.journal.ended("job") is None


def test_where_no_job_is_there_at_all_nothing_goes(start: Start, engine: FakeEngine) -> None:
    """The jobs folder may be away for a while, as what is mounted there may be."""
    first = start()
    first.run(WRITE)
    before = folder(first)
    first.stop()
    (first.home / "jobs").rename(first.home / "away")
    second = start()
    until(lambda: second.supervisor._untidy is False)
    time.sleep(0.3)
    assert works(second) == {before}


@pytest.mark.parametrize("again", ["retry", "reset"])
def test_a_job_does_not_get_the_work_folder_that_it_says_is_its_own(
    start: Start, engine: FakeEngine, again: str
) -> None:
    """Whoever may write a job's folder may write into its views while no manager minds them."""
    manager = start()
    manager.run(WRITE, name="victim")
    manager.run(a_task("a", command="three", retries=0), name="thief")
    engine.programs[("three",)] = Program(looks_for="result")
    thief = manager.home / "jobs" / "thief"
    record = json.loads((thief / "state.json").read_text())
    victims = json.loads((manager.home / "jobs" / "victim" / "state.json").read_text())
    record["work_folder"] = victims["work_folder"]
    (thief / "state.json").write_text(json.dumps(record))
    (thief / "work").unlink()
    (thief / "work").symlink_to(f"../../work/{victims['work_folder']}")
    getattr(manager.client, again)("thief")

    def tried_again() -> bool:
        """Both views are read, which are not written at once."""
        job = manager.client.status("thief")
        attempts = job.tasks[0].attempts
        fresh = len(attempts) == 2 or (again == "reset" and job.job.uid != record["uid"] and attempts != ())
        return job.state.ended and fresh and not attempts[-1].undecided

    until(tried_again)
    assert manager.client.status("thief").state == "failed"
    assert folder(manager, "thief") != folder(manager, "victim")


def test_of_a_folder_that_took_the_name_of_another_job_nothing_is_remembered(
    start: Start, engine: FakeEngine
) -> None:
    manager = start()
    manager.run(a_task("a", command="write"), a_task("b", "a", command="three", retries=0))
    job = manager.home / "jobs" / "job"
    copy = manager.home / "jobs" / ".copy"
    shutil.copytree(job, copy, symlinks=True)
    shutil.rmtree(job)
    manager.run(WRITE, name="kept")
    until(lambda: works(manager) == {folder(manager, "kept")})
    copy.rename(job)
    engine.programs[("three",)] = Program(looks_for="result")
    until(lambda: manager.client.retry("job") is None)
    until(lambda: len(manager.task("b").attempts) == 2 and manager.state()["state"] == "failed")


def test_each_container_has_an_inbox_of_its_own_and_it_goes_with_it(
    start: Start, engine: NotingEngine
) -> None:
    manager = start()
    manager.run(a_task("a", command="ask"), a_task("b", "a"))
    assert manager.task("asked").status == "completed"
    mounted = [mount.source for spec in engine.specs for mount in spec.mounts if mount.target == "/inbox"]
    assert len(set(mounted)) == len(mounted) == 3
    until(lambda: not any(map(os.path.exists, mounted)))


def test_a_job_that_is_tried_again_takes_requests_again(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.run(a_task("a", command="three", retries=0))
    engine.programs[("three",)] = Program(seconds=None)
    manager.client.retry("job")
    until(lambda: manager.task("a").status == "running")
    manager.client.queue("job", a_task("later"))
    manager.until_status("later", "completed")
    manager.client.cancel("job")
    manager.client.wait("job", 10)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_job_whose_folder_got_a_group_of_readers_goes_on_in_its_work_folder(
    start: Start, engine: FakeEngine
) -> None:
    manager = start(readers_group=23000)
    manager.run(WRITE, a_task("b", "a", command="three", retries=0))
    before = folder(manager)
    engine.programs[("three",)] = Program(looks_for="result")
    manager.client.retry("job")
    until(lambda: manager.state()["state"] == "completed")
    assert folder(manager) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_who_takes_the_name_of_an_ended_job_does_not_get_its_record(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.run(a_task("a", env={"TOKEN": "s3cret"}))
    job = manager.home / "jobs" / "job"
    shutil.rmtree(job)
    job.mkdir()
    os.chown(job, 12345, 12345)
    (job / "state.json").write_text("{garbage")
    until(
        lambda: (
            manager.client.store.folder("job").look() is not None
            and "failed" in (job / "state.json").read_text()
        )
    )
    assert not any("s3cret" in file.read_text() for file in job.iterdir() if file.is_file())


@needs_root
def test_one_that_tasks_of_several_users_write_in_is_shared_by_lists(
    start: Start, engine: FakeEngine
) -> None:
    manager = start(users=("12001", "12002"))
    view = manager.run(a_task("a", command="write", user="12001"), a_task("b", "a", user="12002"))
    assert view.state == "completed"
    allowed = acl.read(str(folder(manager)), acl.Kind.ACCESS)
    assert allowed is not None
    assert {12001, 12002} <= set(allowed.users)


def test_where_it_can_not_be_shared_the_job_is_refused_by_its_file_and_field(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acl, "problem", lambda _: acl.NONE)
    manager = start(users=("12001",))
    view = manager.run(a_task("a"), a_task("b", user="12001"))
    assert view.job.failure is not None
    assert view.job.failure.cause == "bad_input"
    assert "tasks.json: tasks[1].user: '12001' can't share the job's work folder" in view.job.failure.message
    assert "give all tasks of the job one user" in view.job.failure.message


@needs_root
def test_where_it_could_not_be_told_at_the_start_whether_they_can_be_shared_they_are(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(acl, "problem", full)
    manager = start(users=("12001", "12002"))
    view = manager.run(a_task("a", command="write", user="12001"), a_task("b", "a", user="12002"))
    assert view.state == "completed"


def test_while_what_is_in_one_is_shared_no_other_job_waits(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, enough = threading.Event(), threading.Event()

    def share(work: Path, users: Collection[int], *_: object) -> None:
        if len(users) > 1:
            begun.set()
            assert enough.wait(60)

    monkeypatch.setattr(sharing, "share", share)
    monkeypatch.setattr(workers, "POOL", 1)
    manager = start(users=("12001",))
    manager.client.create_job("large", [a_task("a"), a_task("b", user="12001")])
    assert begun.wait(30)
    assert manager.run(a_task("a")).state == "completed"
    enough.set()
    assert manager.client.wait("large", 30).state == "completed"


def test_a_machine_without_a_further_thread_has_the_usual_ones_share_a_work_folder(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(self: Workers, name: str, call: Callable[[], None]) -> None:
        if name.startswith("shares"):
            raise RuntimeError("can't start new thread")
        real(self, name, call)

    real = Workers.run_alone
    monkeypatch.setattr(Workers, "run_alone", none)
    view = start(users=["1001"]).run(a_task("a"), a_task("b", user="1001"))
    assert view.state == "completed"
