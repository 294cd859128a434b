"""What is in the jobs folder -> facts, by a scanner that looks when the test tells it to."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from air_executor.store import JobFolder, Store
from manager.folder.file_events import Change
from manager.folder.inbox import Inboxes
from manager.folder.scanner import MAX_WATCHED, Place, Places, Scanner
from manager.model.facts import (
    CancelRequested,
    JobFound,
    JobRefused,
    JobVanished,
    ResetRequested,
    RetryRequested,
    TaskRequested,
)
from tests.unit.manager.builders import settings
from tests.unit.manager.folder.by_hand import STATE, TASKS, ByHand
from tests.waiting import until


class Scanned(ByHand):
    """A home folder with a scanner on it."""

    def __init__(self, home: Path, **limits: Any) -> None:
        super().__init__(home)
        self.jobs.mkdir()
        self.places = Places()
        self.scanner = Scanner(
            Store(home),
            settings(home, settle=60, **limits),
            self.places,
            Inboxes(),
            self.facts.append,
            self.wake,
        )
        self.scanner.events_begin()

    def wake(self) -> None:
        """A look would find more."""

    def live(self, name: str = "live") -> Path:
        """The folder of a job that was found and is followed."""
        self.client.create_job(name, TASKS)
        self.look()
        self.places.follow(name, "the-uid")
        folder = self.jobs / name
        for inner in ("new", "tmp"):
            (folder / "inbox" / inner).mkdir(parents=True)
        return folder

    def look(self) -> None:
        """Look at all there is."""
        self.scanner.doubt()
        self.scanner.look()

    def heed(self, *paths: Path) -> set[str]:
        """Events tell that these have appeared."""
        return self.scanner.heed([Change(path) for path in paths])

    def heed_gone(self, path: Path) -> None:
        """Events tell that this has gone."""
        self.scanner.heed([Change(path, gone=True)])

    def names(self, kind: type[Any] = JobFound) -> list[str]:
        return [fact.name for fact in self.of(kind)]


@pytest.fixture
def scanned(tmp_path: Path) -> Scanned:
    return Scanned(tmp_path)


# --- What is new -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "tasks", "words"),
    [
        (STATE | {"state": "sleeping"}, TASKS, "state.json: state: "),
        (STATE | {"created_at": "yesterday"}, TASKS, "state.json: created_at: 'yesterday' must be a time"),
        (STATE | {"id": 7}, TASKS, "state.json: id: must be a string"),
        (STATE, {"id": "a"}, "tasks.json: must be a list of tasks"),
        (STATE, [{"id": 7, "command": "x"}], "tasks.json: tasks[0].id: must be a string, not the number 7"),
        (
            STATE,
            [{"id": "a", "command": ["x"]}],
            "tasks.json: tasks[0].command: must be a string, not a list",
        ),
        (STATE | {"state": "working"}, TASKS, "this manager has never taken the job"),
    ],
)
def test_a_hand_written_job_that_breaks_a_rule_is_refused_once_with_file_field_and_rule(
    scanned: Scanned, state: Any, tasks: Any, words: str
) -> None:
    scanned.write("hand", state, tasks)
    for _ in range(3):
        scanned.look()
    (refused,) = scanned.of(JobRefused)
    assert words in refused.message
    assert not scanned.of(JobFound)


def test_a_name_that_is_not_the_folders_is_refused(scanned: Scanned) -> None:
    folder = scanned.folder("other")
    (folder / "state.json").write_text(json.dumps(STATE))
    (folder / "tasks.json").write_text(json.dumps(TASKS))
    scanned.look()
    assert "is 'hand', but the folder is 'other'" in scanned.of(JobRefused)[0].message


@pytest.mark.parametrize("state", ["completed", "failed"])
def test_a_folder_whose_state_is_terminal_is_history(scanned: Scanned, state: str) -> None:
    scanned.write("hand", STATE | {"state": state})
    scanned.look()
    assert scanned.facts == []
    assert scanned.places.ended() == {"hand"}


@pytest.mark.parametrize("name", [".new-0123", "a b", "-x"])
def test_folders_that_can_not_be_jobs_are_left_alone(scanned: Scanned, name: str) -> None:
    path = scanned.write(name)
    scanned.look()
    assert scanned.heed(path) == set()
    assert scanned.facts == []


def test_a_link_to_a_folder_is_no_job(scanned: Scanned, tmp_path: Path) -> None:
    scanned.write("hand").rename(tmp_path / "elsewhere")
    link = scanned.jobs / "linked"
    link.symlink_to(tmp_path / "elsewhere")
    scanned.look()
    assert scanned.heed(link) == set()
    assert scanned.facts == []


@pytest.mark.parametrize("rest", [None, "[{"], ids=["not there", "half written"])
def test_what_somebody_is_still_writing_is_waited_for_and_then_found(
    scanned: Scanned, rest: str | None
) -> None:
    folder = scanned.write("hand", tasks=None)
    if rest is not None:
        (folder / "tasks.json").write_text(rest)
    scanned.look()
    assert scanned.scanner.has_unready
    scanned.scanner.look()
    assert scanned.facts == []
    (folder / "tasks.json").write_text(json.dumps(TASKS))
    scanned.scanner.look()
    assert scanned.names() == ["hand"]
    assert not scanned.scanner.has_unready


def test_a_folder_that_goes_before_it_was_a_job_is_forgotten(scanned: Scanned) -> None:
    for name in ("one", "two"):
        scanned.folder(name)
    scanned.look()
    (scanned.jobs / "one").rmdir()
    scanned.scanner.look()
    assert scanned.scanner.has_unready
    (scanned.jobs / "two").rmdir()
    scanned.look()
    assert not scanned.scanner.has_unready


def test_what_has_appeared_is_looked_at_by_its_name_and_known_folders_are_not(
    scanned: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned.write("known")
    scanned.look()

    def forbidden(*_: object) -> None:
        raise AssertionError("all folders were listed")

    monkeypatch.setattr(os, "scandir", forbidden)
    paths = [scanned.write(name) for name in ("known", "fresh")]
    assert scanned.heed(*paths, paths[1] / "state.json", scanned.jobs / "gone-again") == {"fresh"}
    scanned.scanner.look()
    assert scanned.names() == ["known", "fresh"]


def test_a_look_without_a_doubt_finds_nothing_new_and_a_look_everywhere_does(scanned: Scanned) -> None:
    scanned.look()
    assert not scanned.scanner.in_doubt
    scanned.write("quiet")
    scanned.scanner.look()
    assert scanned.facts == []
    scanned.scanner.look_everywhere()
    assert scanned.names() == ["quiet"]


# --- Live and ended jobs ---------------------------------------------------------------------------------


def test_what_is_asked_of_a_live_job_is_told_and_of_one_that_has_ended_is_not(scanned: Scanned) -> None:
    scanned.live()
    scanned.client.cancel("live")
    scanned.client.queue("live", {"id": "more", "command": "true"})
    scanned.scanner.look()
    assert [fact.uid for fact in scanned.of(CancelRequested)] == ["the-uid"]
    assert [fact.spec.id for fact in scanned.of(TaskRequested)] == ["more"]
    scanned.places.unfollow("live", "the-uid")
    scanned.look()
    assert len(scanned.of(CancelRequested)) == len(scanned.of(TaskRequested)) == 1


def test_an_ended_job_is_looked_at_when_it_is_woken_or_its_turn_comes(scanned: Scanned) -> None:
    for name in ("woken", "by-hand"):
        scanned.write(name, STATE | {"state": "failed"})
    scanned.live()
    (scanned.jobs / "live" / "retry").touch()
    scanned.client.retry("woken")
    scanned.look()
    assert scanned.names(RetryRequested) == ["woken"]
    (scanned.jobs / "by-hand" / "reset").touch()
    scanned.scanner.look_at_ended()
    assert scanned.names(ResetRequested) == ["by-hand"]
    assert scanned.names(RetryRequested) == ["woken"]


def test_the_folders_of_all_jobs_of_live_ones_and_of_what_is_no_job_yet_are_watched(scanned: Scanned) -> None:
    folder = scanned.live()
    scanned.write("over", STATE | {"state": "failed"})
    unready = scanned.folder("unready")
    scanned.look()
    assert set(scanned.scanner.watched()) == {scanned.jobs, folder, folder / "inbox" / "new", unready}
    (folder / "inbox" / "new").rmdir()
    (folder / "inbox" / "new").symlink_to(scanned.jobs)
    assert set(scanned.scanner.watched()) == {scanned.jobs, folder, unready}


# --- What went -------------------------------------------------------------------------------------------


def test_a_live_jobs_folder_that_goes_is_told_once_and_its_name_stays_taken_until_the_job_has_ended(
    scanned: Scanned,
) -> None:
    folder = scanned.live()
    scanned.heed()
    shutil.rmtree(folder)
    scanned.client.create_job("live", TASKS)  # with the same inode on many file systems
    scanned.heed_gone(folder)
    for _ in range(3):
        scanned.look()
    assert [fact.uid for fact in scanned.of(JobVanished)] == ["the-uid"]
    assert scanned.names() == ["live"], "two jobs of one name"
    assert scanned.places.unfollow("live", "the-uid"), "the name is free again"
    scanned.look()
    assert scanned.names() == ["live", "live"]


def test_an_ended_jobs_folder_that_goes_is_nothing_and_its_name_is_free(scanned: Scanned) -> None:
    folder = scanned.live()
    assert not scanned.places.unfollow("live", "the-uid")
    shutil.rmtree(folder)
    scanned.look()
    scanned.client.create_job("live", TASKS)
    scanned.look()
    assert not scanned.of(JobVanished)
    assert scanned.names() == ["live", "live"]


def test_a_file_system_that_gives_inodes_anew_takes_no_job_away(scanned: Scanned) -> None:
    folder = scanned.live()
    (folder / "state.json").write_text(json.dumps(STATE | {"name": "live", "uid": "the-uid"}))
    place = scanned.places.known()["live"]
    place.inode = 1
    scanned.look()
    assert place.inode == folder.stat().st_ino
    assert not scanned.of(JobVanished)


@pytest.mark.parametrize("uid", [None, "another-uid"])
def test_another_inode_without_the_jobs_record_is_another_folder(scanned: Scanned, uid: str | None) -> None:
    folder = scanned.live()
    (folder / "state.json").write_text(json.dumps(STATE | {"name": "live", "uid": uid}))
    scanned.places.known()["live"].inode = 1
    scanned.look()
    assert scanned.of(JobVanished)


def test_a_removal_that_events_tell_of_is_one_although_the_inode_is_the_same(scanned: Scanned) -> None:
    folder = scanned.live()
    scanned.heed()
    scanned.heed_gone(folder)
    scanned.look()
    assert scanned.of(JobVanished)


def test_a_removal_from_before_the_folder_was_known_takes_nothing_away(scanned: Scanned) -> None:
    folder = scanned.live()  # found after the events were asked for that tell of what had its name before
    scanned.heed_gone(folder)
    scanned.look()
    assert not scanned.of(JobVanished)
    assert scanned.names() == ["live"]


@pytest.mark.parametrize(
    "place", [lambda folder: folder / "inbox" / "new" / "live", lambda folder: folder / "live"]
)
def test_a_file_in_a_job_that_has_the_jobs_name_may_go(
    scanned: Scanned, place: Callable[[Path], Path]
) -> None:
    folder = scanned.live()
    scanned.heed()
    scanned.heed_gone(place(folder))
    scanned.look()
    assert not scanned.of(JobVanished)


def test_the_folder_of_a_job_that_was_replaced_while_no_manager_ran_is_another_one(scanned: Scanned) -> None:
    scanned.client.create_job("live", TASKS)
    scanned.places.follow("live", "the-uid")
    scanned.places.replaced("live")
    scanned.look()
    assert scanned.of(JobVanished)
    assert scanned.names() == []
    assert scanned.places.unfollow("live", "the-uid")
    scanned.look()
    assert scanned.names() == ["live"]


# --- Places ----------------------------------------------------------------------------------------------


def test_a_place_that_was_never_seen_may_be_any_folder_until_it_is_removed() -> None:
    assert Place().may_be(1)
    assert Place(1).may_be(1)
    assert not Place(1).may_be(2)
    assert not Place(1, removed=True).may_be(1)


def test_a_job_that_was_followed_anew_is_not_unfollowed_by_the_end_of_the_one_before() -> None:
    places = Places()
    places.follow("job", "first")
    places.follow("job", "second")
    places.unfollow("job", "first")
    assert places.uid("job") == "second"
    places.unfollow("job", "second")
    assert places.live() == {}
    assert places.ended() == {"job"}


# --- Folders that stay no jobs ---------------------------------------------------------------------------


def test_a_folder_that_is_no_job_for_long_is_looked_at_less_and_less_often(
    scanned: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned.folder("half")
    scanned.look()
    scanned.scanner._unready["half"].since -= 60
    scanned.look()
    reads: list[str] = []
    monkeypatch.setattr(JobFolder, "read_job", lambda folder, _: reads.append(folder.name))
    scanned.look()
    assert reads == []


def test_what_happens_in_it_is_looked_at_all_the_same(scanned: Scanned) -> None:
    scanned.folder("half")
    scanned.look()
    scanned.scanner._unready["half"].since -= 60
    scanned.look()
    scanned.write("half")
    scanned.look()
    assert scanned.names() == []
    scanned.heed(scanned.jobs / "half" / "tasks.json")
    scanned.look()
    assert scanned.names() == ["half"]


def test_of_very_many_only_some_are_watched(scanned: Scanned) -> None:
    for number in range(MAX_WATCHED + 20):
        scanned.folder(f"half{number}")
    scanned.look()
    assert len(list(scanned.scanner.watched())) == 1 + MAX_WATCHED


# --- Large documents -------------------------------------------------------------------------------------


def test_a_large_job_is_told_when_it_has_been_read_elsewhere(scanned: Scanned) -> None:
    scanned.write("large", tasks=[{"id": "a", "command": "x", "args": ["y" * 100_000] * 4}])
    scanned.look()
    assert scanned.scanner.has_unready
    until(lambda: scanned.look() or scanned.names())
    assert scanned.names() == ["large"]
    assert not scanned.scanner.has_unready


def test_a_document_above_the_operators_bound_is_refused_with_it(tmp_path: Path) -> None:
    scanned = Scanned(tmp_path, max_document_mb=1)
    scanned.write("huge", tasks=[{"id": "a", "command": "x", "args": ["y" * 100_000] * 11}])
    until(lambda: scanned.look() or scanned.of(JobRefused))
    assert "is larger than 1048576 bytes" in scanned.of(JobRefused)[0].message
