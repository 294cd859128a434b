"""What changes in folders, told at once."""

import errno
import os
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from inotify_simple import Event, INotify, flags

from manager.folder.file_events import LIMITS, Change, FileEvents, NoFileEvents

SOON = 5.0
"""Seconds in which an event must come: for a machine that is busy."""
SILENCE = 0.1
"""Seconds in which none may come."""


@pytest.fixture
def events() -> Iterator[FileEvents]:
    with FileEvents() as events:
        yield events


@pytest.fixture
def folder(tmp_path: Path, events: FileEvents) -> Path:
    path = tmp_path / "watched"
    path.mkdir()
    assert events.watch([path])
    return path


def all_of(events: FileEvents) -> set[Change]:
    """What there is to tell, until there is nothing any more."""
    told: set[Change] = set()
    while changes := events.wait(SOON if not told else SILENCE):
        told.update(changes)
    return told


def test_a_file_that_is_made_is_told_of_when_it_is_written(events: FileEvents, folder: Path) -> None:
    (folder / "a").write_text("all of it")
    assert Change(folder / "a") in events.wait(SOON)
    assert not events.wait(SILENCE), "it was told of before it was closed"


def test_a_file_whose_writer_takes_long_is_told_of_twice(events: FileEvents, folder: Path) -> None:
    with (folder / "a").open("w"):
        assert events.wait(SOON) == [Change(folder / "a")]
        assert not events.wait(SILENCE)
    assert events.wait(SOON) == [Change(folder / "a")]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("x")])
def test_what_is_no_file_is_told_of_as_well(events: FileEvents, folder: Path, make: Any) -> None:
    make(folder / "a")
    assert events.wait(SOON) == [Change(folder / "a")]


def test_what_is_moved_in_is_there_and_what_is_moved_away_is_gone(events: FileEvents, folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    outside.rename(folder / "a")
    assert all_of(events) == {Change(folder / "a")}
    (folder / "a").rename(outside)
    assert all_of(events) == {Change(folder / "a", gone=True)}


def test_within_a_folder_the_old_name_is_gone_and_the_new_one_is_there(
    events: FileEvents, folder: Path
) -> None:
    (folder / "old").mkdir()
    all_of(events)
    (folder / "old").rename(folder / "new")
    assert all_of(events) == {Change(folder / "old", gone=True), Change(folder / "new")}


@pytest.mark.parametrize(("make", "remove"), [(Path.touch, Path.unlink), (Path.mkdir, Path.rmdir)])
def test_what_is_removed_is_gone(events: FileEvents, folder: Path, make: Any, remove: Any) -> None:
    make(folder / "a")
    all_of(events)
    remove(folder / "a")
    assert all_of(events) == {Change(folder / "a", gone=True)}


@pytest.mark.parametrize("go", [Path.rmdir, lambda folder: folder.rename(folder.parent / "away")])
def test_a_watched_folder_that_goes_is_gone(events: FileEvents, folder: Path, go: Any) -> None:
    go(folder)
    assert all_of(events) == {Change(folder, gone=True)}
    with pytest.raises(FileNotFoundError):
        events.watch([folder])


def test_a_folder_that_is_made_anew_is_another_one_to_watch(events: FileEvents, folder: Path) -> None:
    assert not events.watch([folder])
    folder.rename(folder.parent / "away")
    folder.mkdir()
    assert events.watch([folder])
    assert not events.wait(SILENCE), "the one that is not watched any more is told of"
    (folder.parent / "away" / "a").mkdir()
    (folder / "b").mkdir()
    assert all_of(events) == {Change(folder / "b")}


def test_a_folder_that_is_not_named_any_more_is_not_watched(events: FileEvents, folder: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    assert events.watch([folder, other])
    assert not events.watch([other])
    (folder / "a").mkdir()
    (other / "b").mkdir()
    assert all_of(events) == {Change(other / "b")}


def test_of_a_folder_with_two_names_the_first_one_counts(events: FileEvents, folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert not events.watch([folder, link])
    (folder / "a").mkdir()
    assert events.wait(SOON) == [Change(folder / "a")]


def test_what_is_below_a_folder_is_not_watched(events: FileEvents, folder: Path) -> None:
    (folder / "a").mkdir()
    all_of(events)
    (folder / "a" / "b").mkdir()
    assert not events.wait(SILENCE)


def test_a_folder_that_is_not_there_can_not_be_watched(events: FileEvents, folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        events.watch([folder, folder / "missing"])
    (folder / "a").mkdir()
    assert events.wait(SOON) == [Change(folder / "a")]


def test_many_changes_are_told_together(events: FileEvents, folder: Path) -> None:
    for number in range(100):
        (folder / str(number)).mkdir()
    assert len(events.wait(SOON)) == 100


def test_who_is_woken_is_told_of_nothing_that_has_not_changed(events: FileEvents, folder: Path) -> None:
    began = time.monotonic()
    threading.Timer(SILENCE, events.wake).start()
    assert events.wait(60) == []
    assert time.monotonic() - began < SOON
    assert not events.wait(SILENCE), "woken once, and still awake"


def test_who_is_woken_before_waiting_does_not_wait(events: FileEvents) -> None:
    for _ in range(3):
        events.wake()
    began = time.monotonic()
    assert events.wait(60) == []
    assert time.monotonic() - began < SOON


def test_nobody_is_woken_after_the_end(folder: Path) -> None:
    with FileEvents() as events:
        pass
    reader, writer = os.pipe()  # they take the numbers that have become free
    events.wake()
    os.set_blocking(reader, False)
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    os.close(reader)
    os.close(writer)


def test_nothing_is_told_when_the_time_is_over(events: FileEvents, folder: Path) -> None:
    began = time.monotonic()
    assert events.wait(SILENCE) == []
    assert time.monotonic() - began >= SILENCE
    assert events.wait(-1) == []


def test_too_many_events_count_as_a_change_of_every_folder(
    events: FileEvents, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = INotify.read
    overflow = Event(-1, flags.Q_OVERFLOW, 0, "")
    monkeypatch.setattr(INotify, "read", lambda *args, **fields: [*read(*args, **fields), overflow])
    (folder / "a").mkdir()
    assert set(events.wait(SOON)) == {Change(folder / "a"), Change(folder)}


def test_silence_is_slept_through(events: FileEvents, folder: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_THREAD)
    events.wait(1)
    after = resource.getrusage(resource.RUSAGE_THREAD)
    assert after.ru_nvcsw - before.ru_nvcsw <= 2, "it woke up, and had nothing to tell"


def test_a_watch_that_ended_wakes_nobody(events: FileEvents, folder: Path) -> None:
    began = time.monotonic()
    events.watch([])
    assert events.wait(SILENCE) == []
    assert time.monotonic() - began >= SILENCE


@pytest.mark.parametrize("reason", LIMITS)
def test_a_limit_of_the_machine_is_named(
    events: FileEvents, folder: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(INotify, "add_watch", refuse)
    with pytest.raises(NoFileEvents, match=r"fs\.inotify\.max_user_"):
        events.watch([folder])


def test_a_system_without_inotify_has_no_file_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "eventfd")
    with pytest.raises(NoFileEvents, match="this system has no inotify"):
        FileEvents()


def test_another_trouble_with_a_folder_is_told_as_it_is(
    events: FileEvents, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(INotify, "add_watch", refuse)
    with pytest.raises(NoFileEvents, match="Permission denied"):
        events.watch([folder])
