"""The views: always whole, always the latest in the end, and nobody else's edit is lost."""

import errno
import json
import logging
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from air_executor.clock import utc_now
from air_executor.files import Create, create_exclusively
from air_executor.format.attempts import Cause, Failure
from air_executor.format.models import Decision, Job, JobState, Task
from manager.daemon.reserve import SPARE, Reserve
from manager.folder import publisher as module
from manager.folder.publisher import Publisher, _Unwritten, _Views
from manager.model.changes import Changes
from manager.model.facts import Fact, JobPublished
from tests.unit.manager.builders import OWNER
from tests.waiting import until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "job"
    path.mkdir()
    return path


@pytest.fixture
def facts() -> list[Fact]:
    return []


@pytest.fixture
def publisher(facts: list[Fact]) -> Iterator[Publisher]:
    made = Publisher(facts.append)
    made.start()
    yield made
    made.stop(timeout=5)


NOW = utc_now()


def a_job(number: int, **fields: Any) -> Job:
    return Job(id=str(number), name="job", created_at=NOW, updated_at=NOW, **fields)


def a_task(index: int, number: int = 0) -> Task:
    return Task(id=f"t{index}", command="true", created_at=NOW, error=str(number))


def changes(
    folder: Path, number: int, tasks: int = 1, last: bool = False, uid: str = "uid", **fields: Any
) -> tuple[Changes, Path]:
    job = a_job(number, uid=uid, state=JobState.COMPLETED if last else JobState.WORKING)
    return to(job, *(a_task(index, number) for index in range(tasks)), **fields), folder


def to(job: Job, *tasks: Task, **fields: Any) -> Changes:
    """So changed the job, and these of its tasks."""
    return Changes(OWNER, None, job, tasks, **fields)


def state(folder: Path) -> int | None:
    try:
        return int(json.loads((folder / "state.json").read_text())["id"])
    except FileNotFoundError:
        return None


def numbers(folder: Path) -> list[int]:
    return [int(task["error"]) for task in json.loads((folder / "tasks.json").read_text())]


FULL = OSError(errno.ENOSPC, "No space left on device")


def test_views_are_written_and_the_last_one_is_told(
    publisher: Publisher, folder: Path, facts: list[Fact]
) -> None:
    publisher.publish(*changes(folder, 1))
    until(lambda: state(folder) == 1)
    assert facts == []
    publisher.publish(*changes(folder, 2, last=True))
    until(lambda: facts == [JobPublished(uid="uid")])
    assert state(folder) == 2
    assert numbers(folder) == [2]
    assert sorted(file.name for file in folder.iterdir()) == ["state.json", "tasks.json"]


def test_whoever_reads_a_thousand_times_a_second_never_sees_half_a_file(
    publisher: Publisher, folder: Path, facts: list[Fact]
) -> None:
    publisher.publish(*changes(folder, 0, tasks=200))
    until(lambda: state(folder) == 0)
    seen: list[int] = []
    wrong: list[str] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            try:
                job = state(folder)
                tasks = numbers(folder)
                if len(tasks) != 200 or len(set(tasks)) != 1:
                    wrong.append("half a file")
                assert job is not None
                if tasks[0] < job:
                    wrong.append("tasks that are older than the state read before")
                seen.append(job)
            except (OSError, ValueError) as error:
                wrong.append(repr(error))
            time.sleep(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 300):
        publisher.publish(*changes(folder, number, tasks=200, last=number == 299))
        time.sleep(0.003)
    until(lambda: facts)
    ended.set()
    reader.join()
    assert wrong == []
    assert seen == sorted(seen)
    assert len(set(seen)) > 3  # else it proves little; how many there are depends on the machine


def test_a_job_that_changes_faster_than_it_can_be_written_is_written_less_often(
    publisher: Publisher, folder: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
) -> None:
    begins: list[float] = []
    ends: list[float] = []
    real = module.write_durably

    def slow(name: str, text: str, job: int, create: Create) -> os.stat_result:
        if name == "tasks.json":  # the first of the two
            begins.append(time.monotonic())
        time.sleep(0.01)
        status = real(name, text, job, create)
        if name == "state.json":
            ends.append(time.monotonic())
        return status

    monkeypatch.setattr(module, "write_durably", slow)
    number = 0
    while len(ends) < 5:
        number += 1
        publisher.publish(*changes(folder, number))
        time.sleep(0.001)
    publisher.publish(*changes(folder, number + 1, last=True))
    until(lambda: facts)
    assert state(folder) == number + 1
    for begin, end, following in zip(begins, ends, begins[1:-1], strict=False):  # the last one comes at once
        assert following - end >= end - begin, "it wrote more than it rested"


def test_one_busy_job_does_not_keep_another_waiting(
    publisher: Publisher, folder: Path, tmp_path: Path, facts: list[Fact]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for number in range(50):
        publisher.publish(*changes(folder, number))
    publisher.publish(*changes(other, 7, uid="other"))
    until(lambda: state(other) == 7, 1)


def test_the_state_alone_is_written_when_the_tasks_did_not_change(publisher: Publisher, folder: Path) -> None:
    publisher.publish(*changes(folder, 1))
    until(lambda: state(folder) == 1)
    before = (folder / "tasks.json").stat().st_ino
    publisher.publish(*changes(folder, 2, tasks=0))
    until(lambda: state(folder) == 2)
    assert (folder / "tasks.json").stat().st_ino == before


def test_tasks_that_could_not_be_read_are_left_alone(
    publisher: Publisher, folder: Path, facts: list[Fact]
) -> None:
    (folder / "tasks.json").write_text("{ not JSON")
    publisher.publish(*changes(folder, 1, tasks=0, last=True))
    until(lambda: facts)
    assert (folder / "tasks.json").read_text() == "{ not JSON"


@pytest.mark.parametrize("name", ["state.json", "tasks.json"])
@pytest.mark.parametrize("how", ["in place", "by rename"])
def test_an_edit_is_set_aside_and_the_managers_own_put_back(
    publisher: Publisher, folder: Path, name: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.publish(*changes(folder, 1))
    until(lambda: state(folder) == 1)
    file = folder / name
    right = file.read_text()
    if how == "in place":
        file.write_text("an edit")
    else:
        (folder / "mine").write_text("an edit")
        (folder / "mine").rename(file)
    with caplog.at_level(logging.WARNING):
        publisher.restore()
        aside = until(lambda: list(folder.glob(f"{name}.edited-*")))
        until(lambda: file.exists() and file.read_text() == right)
    assert aside[0].read_text() == "an edit"
    assert f"{file} was changed by somebody else" in caplog.text


def test_a_view_that_somebody_deleted_is_put_back(publisher: Publisher, folder: Path) -> None:
    publisher.publish(*changes(folder, 1))
    until(lambda: state(folder) == 1)
    for name in ("state.json", "tasks.json"):
        (folder / name).unlink()
        publisher.restore()
        until((folder / name).exists)


def test_a_look_for_edits_writes_nothing_when_there_are_none(publisher: Publisher, folder: Path) -> None:
    publisher.publish(*changes(folder, 1))
    until(lambda: state(folder) == 1)
    before = (folder / "state.json").stat().st_ino
    for _ in range(5):
        publisher.restore()
    publisher.publish(*changes(folder.parent, 1, tasks=0, uid="other"))
    until((folder.parent / "state.json").exists)
    assert (folder / "state.json").stat().st_ino == before


def test_a_look_for_edits_in_the_middle_of_a_write_brings_nothing_old_back(
    publisher: Publisher, folder: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.write_durably

    def looked_at(name: str, text: str, job: int, create: Create) -> os.stat_result:
        status = real(name, text, job, create)
        publisher.restore()  # the file is new, and not yet known to be the publisher's own
        return status

    monkeypatch.setattr(module, "write_durably", looked_at)
    for number in range(5):
        publisher.publish(*changes(folder, number, last=number == 4))
        until(lambda number=number: state(folder) == number)
    until(lambda: facts)
    publisher.stop(timeout=5)
    assert state(folder) == 4
    assert not list(folder.glob("*.edited-*"))


def fail(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The next writes find the disk full."""
    troubles = [FULL] * times
    real = module.write_durably

    def failing(name: str, text: str, job: int, create: Create) -> os.stat_result:
        if troubles:
            raise troubles.pop()
        return real(name, text, job, create)

    monkeypatch.setattr(module, "write_durably", failing)


def test_a_write_that_fails_is_tried_again(
    publisher: Publisher,
    folder: Path,
    facts: list[Fact],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "RETRY_PAUSE", 0.05)
    fail(monkeypatch, times=3)
    publisher.publish(*changes(folder, 1, last=True))
    until(lambda: facts == [JobPublished(uid="uid")])
    assert state(folder) == 1
    assert "No space left on device" in caplog.text


def test_the_reserve_is_for_the_last_views_of_a_job(
    folder: Path, tmp_path: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_PAUSE", 3600)
    reserve = Reserve(tmp_path / "reserve", 2 * SPARE)
    reserve.fill()
    publisher = Publisher(facts.append, reserve)
    publisher.start()
    fail(monkeypatch, times=2)
    publisher.publish(*changes(folder, 1))
    publisher.stop(timeout=5)
    assert reserve.whole
    ends = Publisher(facts.append, reserve)
    ends.start()
    ends.publish(*changes(folder, 2, last=True))
    until(lambda: facts == [JobPublished(uid="uid")])
    ends.stop(timeout=5)
    assert (state(folder), reserve.whole) == (2, False)


def test_later_views_win_over_those_that_could_not_be_written(
    publisher: Publisher, folder: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_PAUSE", 0.05)
    full = threading.Event()
    full.set()
    tried = threading.Event()
    real = module.write_durably

    def failing(name: str, text: str, job: int, create: Create) -> os.stat_result:
        if full.is_set():
            tried.set()
            raise FULL
        return real(name, text, job, create)

    monkeypatch.setattr(module, "write_durably", failing)
    publisher.publish(*changes(folder, 1))
    assert tried.wait(5)
    publisher.publish(*changes(folder, 2, last=True))
    full.clear()
    until(lambda: facts)
    assert state(folder) == 2


def test_a_folder_that_is_gone_is_not_made_again(
    publisher: Publisher, folder: Path, facts: list[Fact]
) -> None:
    folder.rmdir()
    publisher.publish(*changes(folder, 1, last=True))
    until(lambda: facts == [JobPublished(uid="uid")])
    assert not folder.exists()


def test_what_is_wanted_is_written_before_the_publisher_stops(folder: Path) -> None:
    publisher = Publisher(lambda fact: None)
    publisher.start()
    for number in range(30):
        publisher.publish(*changes(folder, number, tasks=500))
    publisher.stop(timeout=5)
    assert state(folder) == 29


def test_a_disk_that_stays_full_does_not_keep_the_manager_from_stopping(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(name: str, text: str, job: int, create: Create) -> os.stat_result:
        raise FULL

    monkeypatch.setattr(module, "write_durably", failing)
    publisher = Publisher(lambda fact: None)
    publisher.start()
    publisher.publish(*changes(folder, 1))
    began = time.monotonic()
    publisher.stop(timeout=30)
    assert time.monotonic() - began < 5


def test_a_write_whose_last_step_fails_is_nobodys_edit(
    publisher: Publisher, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_PAUSE", 0.01)
    publisher.publish(*changes(folder, 1))
    until(lambda: state(folder) == 1)
    calls: list[int] = []

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            calls.append(handle)
            if len(calls) < 4:
                raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    publisher.publish(*changes(folder, 2))
    until(lambda: len(calls) > 4)
    assert state(folder) == 2
    assert not list(folder.glob("*.edited-*"))


def test_an_edit_right_after_a_write_is_noticed_as_one(
    publisher: Publisher, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the publisher could even look at what it wrote."""
    real = module.write_durably

    def edited_at_once(name: str, text: str, job: int, create: Create) -> os.stat_result:
        status = real(name, text, job, create)
        if name == "state.json" and not list(folder.glob("*.edited-*")):
            (folder / name).write_text("an edit")
        return status

    monkeypatch.setattr(module, "write_durably", edited_at_once)
    publisher.publish(*changes(folder, 1))
    until(lambda: (folder / "state.json").exists() and (folder / "state.json").read_text() == "an edit")
    publisher.restore()
    until(lambda: list(folder.glob("state.json.edited-*")))
    until(lambda: (folder / "state.json").read_text() != "an edit")
    assert state(folder) == 1


def test_a_reader_finds_a_view_at_any_moment_even_while_an_edit_is_set_aside(
    publisher: Publisher, folder: Path
) -> None:
    publisher.publish(*changes(folder, 1))
    until(lambda: state(folder) == 1)
    ended, missing = threading.Event(), []

    def read() -> None:
        while not ended.is_set():
            if not (folder / "state.json").exists():
                missing.append(time.monotonic())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(5):
        (folder / "mine").write_text("an edit")
        (folder / "mine").rename(folder / "state.json")
        publisher.restore()
        until(lambda number=number: len(list(folder.glob("state.json.edited-*"))) == number + 1)
        until(lambda: (folder / "state.json").read_text() != "an edit")
    ended.set()
    reader.join()
    assert missing == []


def test_nothing_is_written_any_more_for_a_job_whose_folder_is_gone(
    publisher: Publisher, folder: Path
) -> None:
    publisher.publish(*changes(folder, 1))
    until(lambda: state(folder) == 1)
    publisher.forget("uid")
    (folder / "state.json").write_text('{"id": "77"}')
    publisher.restore()
    publisher.publish(*changes(folder.parent, 1, tasks=0, uid="other"))
    until((folder.parent / "state.json").exists)
    assert state(folder) == 77


def test_why_a_folder_is_no_job_is_written_into_it_and_no_job_is_told_of(
    publisher: Publisher, folder: Path, facts: list[Fact]
) -> None:
    told = Decision(request="r", accepted=False, reason="no", at=NOW)
    job = a_job(1, state=JobState.FAILED, requests=(told,))
    publisher.publish_refusal(folder, job, [a_task(0, 1)])
    until(lambda: not publisher._views)
    assert Job.model_validate_json((folder / "state.json").read_text()) == job
    assert numbers(folder) == [1]
    assert facts == []


def test_a_folder_that_is_refused_is_written_although_the_job_before_it_is_forgotten(
    publisher: Publisher, folder: Path
) -> None:
    publisher.publish(*changes(folder, 1))
    publisher.publish_refusal(folder, a_job(2, state=JobState.FAILED), ())
    publisher.forget("uid")
    until(lambda: state(folder) == 2)


# --- What a change costs ---------------------------------------------------------------------------------


def test_a_task_is_rendered_when_it_has_changed_and_only_then(
    publisher: Publisher, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []
    real = module.task_text

    def counted(task: Task) -> str:
        rendered.append(task.id)
        return real(task)

    monkeypatch.setattr(module, "task_text", counted)
    publisher.publish(*changes(folder, 1, tasks=3))
    until(lambda: state(folder) == 1)
    publisher.publish(to(a_job(2, uid="uid"), a_task(1, 2)), folder)
    until(lambda: state(folder) == 2)
    assert rendered == ["t0", "t1", "t2", "t1"]
    assert numbers(folder) == [1, 2, 1]


def test_a_task_that_is_added_comes_last(publisher: Publisher, folder: Path) -> None:
    publisher.publish(*changes(folder, 1, tasks=2))
    publisher.publish(to(a_job(2, uid="uid"), a_task(9, 9), a_task(0, 2)), folder)
    until(lambda: state(folder) == 2)
    assert numbers(folder) == [2, 1, 9]


def test_the_decisions_that_are_told_one_by_one_are_all_in_the_state(
    publisher: Publisher, folder: Path
) -> None:
    told = [Decision(request=f"r{number}", accepted=True, at=NOW) for number in range(3)]
    for number, decision in enumerate(told):
        publisher.publish(*changes(folder, number, decisions=(decision,)))
        until(lambda number=number: state(folder) == number)
    written = Job.model_validate_json((folder / "state.json").read_text())
    assert list(written.requests) == told


class Clock:
    """A time that stands still until it is told otherwise, and the bytes that were written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.bytes = 0

        real = module.write_durably

        def counted(name: str, text: str, job: int, create: Create) -> os.stat_result:
            status = real(name, text, job, create)
            self.bytes += status.st_size
            return status

        monkeypatch.setattr(module, "time", self)
        monkeypatch.setattr(module, "write_durably", counted)

    def monotonic(self) -> float:
        return self.now


def views_of(folder: Path, count: int) -> _Views:
    """The views of a job of so many tasks, none of which is written yet."""
    views = _Views("uid", folder, a_job(0, state=JobState.WORKING))
    views.add(news(0, *(a_task(index) for index in range(count)), state=JobState.WORKING))
    return views


def news(number: int, *tasks: Task, **fields: Any) -> _Unwritten:
    return _Unwritten.of(a_job(number, **fields), tasks)


def bytes_for(count: int, folder: Path, clock: Clock) -> int:
    """What is written for a job of so many tasks, each of which changes four times, ten of them a second."""
    before = clock.bytes
    views = views_of(folder, count)
    for change in range(4 * count):
        clock.now += 0.025
        views.add(news(0, a_task(change // 4, change)))
        if views.due <= clock.now:
            views.take()
            views.write(create_exclusively)
    return clock.bytes - before


def test_a_task_of_a_large_job_costs_no_more_bytes_than_one_of_a_small_job(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "task_text", lambda task: "x" * 1000)
    clock = Clock(monkeypatch)
    small = bytes_for(50, folder, clock) / 50
    for count in (500, 2000):
        assert bytes_for(count, folder, clock) / count < 1.5 * small


def test_each_change_of_a_small_job_is_written_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "task_text", lambda task: "x" * 1100)
    clock = Clock(monkeypatch)
    views = views_of(folder, 100)
    for number in range(100):
        clock.now += 0.001
        views.add(news(number, a_task(number, number)))
        assert views.due <= clock.now
        views.take()
        views.write(create_exclusively)


def test_a_large_job_that_changes_all_the_time_waits_unless_it_fails_or_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SMALL", 0)
    clock = Clock(monkeypatch)
    views = views_of(folder, 100)
    failure = Failure(cause=Cause.EXIT, message="it failed")
    for fields in ({"failure": failure}, {"failure": failure, "state": JobState.FAILED}):
        views.take()
        views.write(create_exclusively)
        views.add(_Unwritten.of(views._pending.job, [a_task(1)]))
        assert views.due > clock.now
        views.add(news(1, **fields))
        assert views.due <= clock.now


# --- Trouble ---------------------------------------------------------------------------------------------


def test_a_disk_that_stays_full_is_told_of_once_and_so_is_its_end(
    publisher: Publisher,
    folder: Path,
    facts: list[Fact],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "RETRY_PAUSE", 0.01)
    fail(monkeypatch, times=5)
    with caplog.at_level(logging.INFO):
        publisher.publish(*changes(folder, 1, last=True))
        until(lambda: facts)
    assert [record.getMessage() for record in caplog.records] == [
        f"{folder} can't be written: No space left on device; trying again",
        f"{folder} can be written again",
    ]


def test_tasks_that_changed_before_a_failure_are_written_after_it(
    publisher: Publisher, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish(*changes(folder, 1, tasks=3))
    until(lambda: state(folder) == 1)
    monkeypatch.setattr(module, "RETRY_PAUSE", 0.01)
    full, tried, real = threading.Event(), threading.Event(), module.write_durably
    full.set()

    def failing(name: str, text: str, job: int, create: Create) -> os.stat_result:
        if full.is_set():
            tried.set()
            raise FULL
        return real(name, text, job, create)

    monkeypatch.setattr(module, "write_durably", failing)
    publisher.publish(to(a_job(2, uid="uid"), a_task(0, 2)), folder)
    assert tried.wait(5)
    publisher.publish(to(a_job(3, uid="uid"), a_task(2, 3)), folder)
    full.clear()
    until(lambda: state(folder) == 3)
    assert numbers(folder) == [2, 1, 3]


def test_a_job_that_can_not_be_shown_keeps_no_other_from_being_shown(
    publisher: Publisher, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.task_text

    def faulty(task: Task) -> str:
        if task.error == "666":
            raise RuntimeError("a bug")
        return real(task)

    monkeypatch.setattr(module, "task_text", faulty)
    other = tmp_path / "other"
    other.mkdir()
    publisher.publish(*changes(folder, 666))
    publisher.publish(*changes(other, 7, uid="other"))
    until(lambda: state(other) == 7)
    assert state(folder) is None


def test_what_can_not_be_written_at_the_end_costs_no_other_job_its_last_views(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.write_durably

    def failing(name: str, text: str, job: int, create: Create) -> os.stat_result:
        if os.path.samestat(os.fstat(job), folder.stat()):
            raise FULL
        return real(name, text, job, create)

    monkeypatch.setattr(module, "write_durably", failing)
    others = [tmp_path / f"other-{number}" for number in range(3)]
    publisher = Publisher(lambda fact: None)
    publisher.publish(*changes(folder, 1))
    for other in others:
        other.mkdir()
        publisher.publish(*changes(other, 7, uid=other.name))
    publisher.start()
    publisher.stop(timeout=5)
    assert [state(other) for other in others] == [7, 7, 7]


def test_nothing_is_remembered_of_a_job_that_has_ended(
    publisher: Publisher, folder: Path, facts: list[Fact]
) -> None:
    publisher.publish(*changes(folder, 1, last=True))
    until(lambda: facts)
    assert not publisher._views
