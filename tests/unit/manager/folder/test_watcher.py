"""Whatever happens in the jobs folder is noticed in a moment, and told."""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from air_executor.client import Client
from air_executor.store import Store
from manager.folder.file_events import FileEvents, NoFileEvents
from manager.folder.inbox import Inboxes
from manager.folder.watcher import Watcher
from manager.model.facts import (
    CancelRequested,
    JobFound,
    JobRefused,
    JobVanished,
    ResetRequested,
    RetryRequested,
    TaskRequested,
    Tick,
)
from tests.unit.manager.builders import settings
from tests.unit.manager.folder.by_hand import STATE, TASKS, ByHand
from tests.waiting import until


class Watched(ByHand):
    """A home folder with a watcher on it."""

    def __init__(self, home: Path, **fields: Any) -> None:
        super().__init__(home)
        # A poll comes after a minute only: whatever is noticed here is noticed by events.
        rules = settings(home, **{"poll_interval": 60, "settle": 0.3, "incomplete_after": 1} | fields)
        self.inboxes = Inboxes()
        self.watcher = Watcher(Store(home), rules, self.inboxes, self.facts.append)

    def first(self, kind: type[Any], seconds: float = 5) -> Any:
        return until(lambda: self.of(kind), seconds)[0]

    def settled(self) -> None:
        """Return when everything that was there has been looked at."""
        before = len(self.of(JobFound))
        self.client.create_job(f"marker{before}-{time.monotonic_ns()}", TASKS)
        until(lambda: len(self.of(JobFound)) > before)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path)
    found.watcher.start()
    until(lambda: found.of(Tick))
    yield found
    found.watcher.stop()


def test_a_new_job_is_noticed_in_a_moment_and_told_once(watched: Watched) -> None:
    watched.client.create_job("a:b+c", TASKS)
    began = time.monotonic()
    fact = watched.first(JobFound)
    assert time.monotonic() - began < 1
    assert (fact.name, [task.id for task in fact.tasks]) == ("a:b+c", ["greet"])
    assert fact.owner == (os.geteuid(), os.getegid())
    watched.settled()
    assert [found.name for found in watched.of(JobFound)].count("a:b+c") == 1


def test_the_median_new_job_is_noticed_within_a_tenth_of_a_second(watched: Watched) -> None:
    delays = []
    for number in range(9):
        before = len(watched.of(JobFound))
        watched.client.create_job(f"job{number}", TASKS)
        began = time.monotonic()
        until(lambda before=before: len(watched.of(JobFound)) > before, interval=0.001)
        delays.append(time.monotonic() - began)
    assert sorted(delays)[4] < 0.1, delays


def test_jobs_that_were_there_before_are_found_at_the_start(tmp_path: Path) -> None:
    found = Watched(tmp_path)
    found.client.create_job("early", TASKS)
    found.watcher.start()
    try:
        assert found.first(JobFound).name == "early"
    finally:
        found.watcher.stop()


def test_without_file_events_a_poll_finds_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileEvents, "watch", lambda *_: set())
    found = Watched(tmp_path, poll_interval=1)
    found.watcher.start()
    try:
        until(lambda: found.of(Tick))
        began = time.monotonic()
        found.client.create_job("quiet", TASKS)
        found.first(JobFound)
        found.watcher.follow("quiet", "uid")
        found.client.cancel("quiet")
        found.first(CancelRequested)
        assert time.monotonic() - began < 2.5
    finally:
        found.watcher.stop()


def test_where_file_events_can_not_be_had_everything_is_found_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> bool:
        raise NoFileEvents("no more watches are allowed")

    monkeypatch.setattr(FileEvents, "watch", refuse)
    found = Watched(tmp_path)
    found.watcher.start()
    try:
        until(lambda: found.of(Tick))
        found.client.create_job("quiet", TASKS)
        found.first(JobFound)
        found.watcher.follow("quiet", "uid")
        found.client.cancel("quiet")
        found.first(CancelRequested)
    finally:
        found.watcher.stop()
    assert caplog.text.count("no file events: no more watches are allowed; looking once a second") == 1


def test_a_writer_who_makes_folder_then_state_then_tasks_is_waited_for(watched: Watched) -> None:
    folder = watched.folder()
    watched.settled()
    (folder / "state.json").write_text(json.dumps(STATE))
    watched.settled()
    assert not watched.of(JobRefused)
    (folder / "tasks.json").write_text(json.dumps(TASKS))
    fact = until(lambda: [fact for fact in watched.of(JobFound) if fact.name == "hand"])[0]
    assert fact.job.updated_at.isoformat() == "2025-10-02T07:30:15+00:00"
    assert not watched.of(JobRefused)


def test_a_writer_who_writes_a_file_bit_by_bit_is_waited_for(watched: Watched) -> None:
    folder = watched.write("hand", tasks=None)
    text = json.dumps(TASKS)
    with (folder / "tasks.json").open("w") as file:
        for begin in range(0, len(text), 12):
            file.write(text[begin : begin + 12])
            file.flush()
            watched.settled()
    until(lambda: [fact for fact in watched.of(JobFound) if fact.name == "hand"])
    assert not watched.of(JobRefused)


def test_a_file_that_stays_half_written_is_refused_with_its_place(watched: Watched) -> None:
    watched.write("hand", tasks=None)
    (watched.jobs / "hand" / "tasks.json").write_text('[{"id": "a",\n')
    fact = watched.first(JobRefused)
    assert fact.name == "hand"
    assert fact.job.name == "hand"
    assert f"{watched.jobs}/hand/tasks.json: is not JSON: line 2" in fact.message


@pytest.mark.parametrize("days", [-1, 1], ids=["set back", "set ahead"])
def test_a_clock_that_is_set_makes_no_half_written_file_complete_nor_unfinished_for_ever(
    watched: Watched, days: int
) -> None:
    """The times of files are the clock's, so a clock that was set makes them as wrong."""
    watched.write("hand", tasks=None)
    file = watched.jobs / "hand" / "tasks.json"
    moment = time.time() - days * 86_400
    for text in ("[", '[{"id": "greet", '):
        file.write_text(text)
        os.utime(file, (moment, moment))
        watched.settled()
        assert not watched.of(JobRefused), "half a file was taken for a whole one"
    watched.first(JobRefused)


@pytest.mark.parametrize("missing", ["state.json", "tasks.json"])
def test_an_incomplete_folder_is_reported_once_and_only_when_it_stays_so(
    watched: Watched, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    began = time.monotonic()
    folder = watched.write("hand")
    shutil.rmtree(folder)
    folder = watched.folder()
    other = "tasks.json" if missing == "state.json" else "state.json"
    (folder / other).write_text(json.dumps(TASKS if other == "tasks.json" else STATE))
    with caplog.at_level(logging.WARNING):
        until(lambda: f"job=hand is not a job yet: {missing}" in caplog.text)
        assert time.monotonic() - began >= 1
        watched.settled()
        time.sleep(1.2)  # two more looks: nothing can be waited for that must not come
    assert caplog.text.count("is not a job yet") == 1
    assert not watched.of(JobRefused)


def live(watched: Watched, name: str = "live") -> None:
    watched.client.create_job(name, TASKS)
    until(lambda: [fact for fact in watched.of(JobFound) if fact.name == name])
    (watched.jobs / name / "inbox" / "new").mkdir(parents=True)
    (watched.jobs / name / "inbox" / "tmp").mkdir(parents=True)
    watched.watcher.follow(name, "the-uid")
    watched.settled()


def test_a_cancel_marker_is_noticed(watched: Watched) -> None:
    live(watched)
    began = time.monotonic()
    watched.client.cancel("live")
    assert watched.first(CancelRequested).uid == "the-uid"
    assert time.monotonic() - began < 1


def test_a_cancel_marker_of_before_is_noticed_when_the_job_is_followed(watched: Watched) -> None:
    watched.client.create_job("live", TASKS)
    watched.client.cancel("live")
    watched.first(JobFound)
    assert not watched.of(CancelRequested)
    watched.watcher.follow("live", "the-uid")
    watched.first(CancelRequested)


def test_a_request_in_the_inbox_is_noticed(watched: Watched) -> None:
    live(watched)
    began = time.monotonic()
    watched.client.queue("live", {"id": "more", "command": "true"})
    fact = watched.first(TaskRequested)
    assert time.monotonic() - began < 1
    assert (fact.uid, fact.spec.id) == ("the-uid", "more")


def test_a_request_in_an_inbox_that_was_made_later_is_noticed_as_soon(watched: Watched) -> None:
    """The inbox is made with the first container, some time after the job was taken."""
    watched.client.create_job("live", TASKS)
    watched.first(JobFound)
    watched.watcher.follow("live", "the-uid")
    watched.settled()
    for name in ("tmp", "new"):
        (watched.jobs / "live" / "inbox" / name).mkdir(parents=True)
    watched.settled()
    began = time.monotonic()
    watched.client.queue("live", {"id": "more", "command": "true"})
    watched.first(TaskRequested)
    assert time.monotonic() - began < 1


def test_a_folder_that_goes_is_told_once(watched: Watched) -> None:
    live(watched)
    shutil.rmtree(watched.jobs / "live")
    assert watched.first(JobVanished).uid == "the-uid"
    watched.settled()
    assert len(watched.of(JobVanished)) == 1


def replaced_in_between(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, replace: Callable[[], None]
) -> None:
    """Let `replace` happen while nobody looks."""
    with monkeypatch.context() as patched:
        patched.setattr(watched.watcher._scanner, "look", lambda: None)
        replace()
    watched.settled()


def founds(watched: Watched, name: str = "live") -> list[JobFound]:
    return [fact for fact in watched.of(JobFound) if fact.name == name]


def test_a_folder_that_was_replaced_in_between_is_another_job_once_the_old_one_has_ended(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(watched)
    other = Client(watched.jobs.parent / "other")
    made = other.create_job("live", [{"id": "new", "command": "true"}])

    def replace() -> None:
        (watched.jobs / "live").rename(watched.jobs.parent / "away")
        (other.store.jobs / "live").rename(watched.jobs / "live")

    replaced_in_between(watched, monkeypatch, replace)
    assert watched.first(JobVanished).uid == "the-uid"
    assert len(founds(watched)) == 1, "two jobs of one name"
    watched.watcher.unfollow("live", "the-uid")
    until(lambda: len(founds(watched)) == 2)
    assert founds(watched)[-1].job == made.job


def test_a_folder_that_was_removed_and_made_again_in_between_is_noticed(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many file systems give the new folder the inode that the old one had."""
    live(watched)

    def replace() -> None:
        shutil.rmtree(watched.jobs / "live")
        watched.client.create_job("live", TASKS)

    replaced_in_between(watched, monkeypatch, replace)
    assert watched.first(JobVanished).uid == "the-uid"
    watched.watcher.unfollow("live", "the-uid")
    until(lambda: len(founds(watched)) == 2)


def test_another_job_with_the_same_inode_is_noticed_by_the_event_of_the_removal(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(watched)
    away = watched.jobs.parent / "away"

    def replace() -> None:
        (watched.jobs / "live").rename(away)
        away.rename(watched.jobs / "live")

    replaced_in_between(watched, monkeypatch, replace)
    assert watched.first(JobVanished).uid == "the-uid"


def test_a_name_can_be_used_again_although_its_folder_is_gone_for_no_more_than_a_moment(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(watched)
    watched.watcher.unfollow("live", "the-uid")
    watched.settled()

    def replace() -> None:
        shutil.rmtree(watched.jobs / "live")
        watched.client.create_job("live", TASKS)

    replaced_in_between(watched, monkeypatch, replace)
    until(lambda: len(founds(watched)) == 2)
    watched.settled()
    assert len(founds(watched)) == 2
    assert not watched.of(JobVanished)


def test_a_file_in_a_job_that_has_another_jobs_name_may_be_removed(watched: Watched) -> None:
    live(watched)
    live(watched, "busy")
    (watched.jobs / "busy" / "inbox" / "new" / "live").touch()
    (watched.jobs / "busy" / "inbox" / "new" / "live").unlink()
    watched.settled()
    assert not watched.of(JobVanished)


@pytest.mark.parametrize(("ask", "kind"), [("retry", RetryRequested), ("reset", ResetRequested)])
def test_what_is_asked_of_an_ended_job_is_noticed_in_a_moment_and_told_once(
    watched: Watched, ask: str, kind: type[Any]
) -> None:
    watched.write("over", STATE | {"state": "failed"})
    watched.settled()
    began = time.monotonic()
    getattr(watched.client, ask)("over")
    assert watched.first(kind).name == "over"
    assert time.monotonic() - began < 1
    until(lambda: not watched.client.store.wake_file("over").exists())
    watched.settled()
    assert len(watched.of(kind)) == 1


def test_what_was_asked_while_no_manager_ran_is_told_at_the_start(tmp_path: Path) -> None:
    found = Watched(tmp_path)
    found.write("over", STATE | {"state": "failed"})
    found.client.retry("over")
    found.watcher.start()
    try:
        assert found.first(RetryRequested).name == "over"
    finally:
        found.watcher.stop()


def test_a_marker_made_by_hand_is_found_by_a_poll(tmp_path: Path) -> None:
    found = Watched(tmp_path, poll_interval=1)
    found.write("over", STATE | {"state": "failed"})
    found.watcher.start()
    try:
        until(lambda: found.of(Tick))
        (found.jobs / "over" / "retry").touch()
        assert found.first(RetryRequested).name == "over"
    finally:
        found.watcher.stop()


def test_a_jobs_folder_that_is_gone_takes_its_jobs_with_it_and_may_come_back(watched: Watched) -> None:
    live(watched)
    shutil.rmtree(watched.jobs)
    assert watched.first(JobVanished).uid == "the-uid"
    watched.watcher.unfollow("live", "the-uid")
    watched.client.create_job("live", TASKS)
    until(lambda: len(founds(watched)) == 2)


def test_a_folder_that_goes_after_its_job_has_ended_is_nothing(watched: Watched) -> None:
    live(watched)
    watched.watcher.unfollow("live", "the-uid")
    shutil.rmtree(watched.jobs / "live")
    watched.settled()
    assert not watched.of(JobVanished)


def test_a_name_can_be_used_again_after_its_folder_is_gone(watched: Watched) -> None:
    live(watched)
    watched.watcher.unfollow("live", "the-uid")
    shutil.rmtree(watched.jobs / "live")
    watched.settled()
    watched.client.create_job("live", TASKS)
    until(lambda: len([fact for fact in watched.of(JobFound) if fact.name == "live"]) == 2)


def test_an_ended_job_is_not_looked_into_any_more(watched: Watched) -> None:
    live(watched)
    watched.watcher.unfollow("live", "the-uid")
    watched.settled()
    (watched.jobs / "live" / "cancel").touch()
    watched.settled()
    assert not watched.of(CancelRequested)


def test_the_managers_own_writing_wakes_nobody(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    live(watched)
    looks: list[float] = []
    scanner = watched.watcher._scanner
    real: Callable[[], None] = scanner.look
    monkeypatch.setattr(scanner, "look", lambda: (looks.append(time.monotonic()), real())[1])
    from air_executor.files import write_durably

    for number in range(20):
        write_durably(watched.jobs / "live" / "state.json", json.dumps(STATE | {"name": "live", "n": number}))
    watched.settled()
    assert len(looks) <= 6, "a look for the marker job, and few others"


def test_a_trouble_with_the_folder_is_logged_and_tried_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scanner = watched.watcher._scanner
    real = scanner.look
    troubles = [OSError(5, "Input/output error")]

    def look() -> None:
        if troubles:
            raise troubles.pop()
        real()

    monkeypatch.setattr(scanner, "look", look)
    (watched.jobs / "news").mkdir()
    until(lambda: "trying again" in caplog.text)
    watched.client.create_job("after", TASKS)
    watched.first(JobFound)


def listings(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the jobs folder was listed, from now on."""
    when: list[float] = []
    lister = watched.watcher._scanner._lister
    real = lister._list
    monkeypatch.setattr(lister, "_list", lambda: (when.append(time.monotonic()), real())[1])
    return when


def test_a_job_that_comes_and_goes_on_costs_no_list_of_all(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.settled()
    seen = listings(watched, monkeypatch)
    live(watched)
    watched.watcher.follow("other", "another-uid")
    watched.watcher.unfollow("other", "another-uid")
    watched.settled()
    assert seen == []


def test_a_folder_that_is_no_job_costs_no_list_of_all_each_time(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    (watched.jobs / "stray").mkdir()
    watched.settled()
    seen = listings(watched, monkeypatch)
    time.sleep(1.2)
    live(watched)
    assert seen == []


def test_a_jobs_folder_that_is_another_one_now_is_listed(watched: Watched) -> None:
    watched.settled()
    shutil.rmtree(watched.jobs)
    watched.client.create_job("anew", TASKS)
    until(lambda: founds(watched, "anew"), 5)


def test_a_jobs_folder_that_another_one_has_taken_the_place_of_is_listed(watched: Watched) -> None:
    other = watched.jobs.with_name("other")
    Client(other).create_job("there", TASKS)
    watched.settled()
    watched.jobs.rename(watched.jobs.with_name("away"))
    (other / "jobs").rename(watched.jobs)
    until(lambda: founds(watched, "there"), 5)
