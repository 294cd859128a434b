"""The markers `cancel`, `retry` and `reset` -> facts."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from air_executor.store import Store
from manager.folder import markers as module
from manager.folder.markers import Markers
from manager.model.facts import CancelRequested, Fact, ResetRequested, RetryRequested
from tests.waiting import until


class Ended:
    """Folders of ended jobs, and what has been told of them."""

    def __init__(self, home: Path) -> None:
        self.store = Store(home)
        self.facts: list[Fact] = []
        self.markers = Markers(self.store, self.facts.append)

    def ask(self, name: str, what: str = "retry") -> Path:
        folder = self.store.folder(name).path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / what).touch()
        return folder / what

    def told(self) -> list[tuple[type[Fact], str]]:
        """What has been told since this was asked last."""
        facts, self.facts[:] = list(self.facts), []
        return [(type(fact), fact.name) for fact in facts]


@pytest.fixture
def ended(tmp_path: Path) -> Ended:
    return Ended(tmp_path)


def test_each_marker_has_its_fact(ended: Ended) -> None:
    ended.ask("a", "retry")
    ended.ask("b", "reset")
    ended.markers.poll(["a", "b", "c"])
    assert ended.told() == [(RetryRequested, "a"), (ResetRequested, "b")]


def test_a_marker_is_told_of_once_until_it_was_taken_away_or_made_again(ended: Ended) -> None:
    marker = ended.ask("a")
    for _ in range(3):
        ended.markers.look_at_ended("a")
    assert len(ended.told()) == 1
    os.utime(marker, (1, 1))
    ended.markers.look_at_ended("a")
    assert len(ended.told()) == 1, "asked for again"
    marker.unlink()
    ended.markers.look_at_ended("a")
    assert ended.told() == []
    os.utime(ended.ask("a"), (1, 1))
    ended.markers.look_at_ended("a")
    assert len(ended.told()) == 1


def test_only_a_regular_file_is_a_marker(ended: Ended, tmp_path: Path) -> None:
    target = ended.ask("a")
    for name, make in (
        ("link", lambda path: path.symlink_to(target)),
        ("folder", lambda path: path.mkdir()),
        ("pipe", os.mkfifo),
    ):
        path = ended.ask(name)
        path.unlink()
        make(path)
        ended.markers.look_at_ended(name)
    assert ended.told() == []


def test_every_marker_is_found_in_its_turn_however_many_folders_there_are(
    ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_AT_A_POLL", 3)
    names = [f"job{number}" for number in range(8)]
    for name in names:
        ended.ask(name)
    told = []
    for _ in range(3):
        ended.markers.poll(names)
        told.append([name for _, name in ended.told()])
    assert told == [names[:3], names[3:6], names[6:]]


def test_a_poll_looks_into_no_more_folders_than_it_may(ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(ended.markers, "look_at_ended", looked.append)
    names = [f"job{number:05}" for number in range(10_000)]
    ended.markers.poll(names)
    assert looked == names[: module.MOST_AT_A_POLL]
    few = names[:100]
    looked.clear()
    ended.markers.poll(few)
    ended.markers.poll(few)
    assert sorted(looked) == sorted(few * 2), "all of a few, at each poll"


def test_a_wake_file_is_taken_away_and_its_job_looked_at(ended: Ended) -> None:
    ended.ask("a")
    file = ended.store.wake_file("a")
    file.touch()
    ended.markers.wake(["a", "never-made"])
    assert ended.told() == [(RetryRequested, "a")]
    assert not file.exists()


def test_a_wake_file_without_a_job_is_taken_away(ended: Ended) -> None:
    ended.store.jobs.mkdir()
    ended.store.wake_file("nobody").touch()
    ended.markers.wake(["nobody"])
    assert not ended.store.wake_file("nobody").exists()
    assert ended.told() == []


def test_a_wake_file_that_can_not_be_removed_wakes_once_until_it_is_another(
    ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended.ask("a")
    file = ended.store.wake_file("a")
    file.touch()
    looked: list[str] = []
    monkeypatch.setattr(ended.markers, "look_at_ended", looked.append)

    def refuse(*_: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        for _ in range(3):
            ended.markers.wake(["a"])
        assert looked == ["a"]
        os.utime(file, (1, 1))
        ended.markers.wake(["a"])
        assert looked == ["a", "a"]
    os.utime(file, (2, 2))
    ended.markers.wake(["a"])
    assert not file.exists()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(__file__)])
def test_what_is_no_regular_file_is_no_marker(ended: Ended, make: Callable[[Path], None]) -> None:
    folder = ended.store.folder("live")
    folder.path.mkdir(parents=True)
    for marker in (folder.cancel_marker, folder.retry_marker, folder.reset_marker):
        make(marker)
    ended.markers.look_at_live(folder, "the-uid")
    ended.markers.look_at_ended("live")
    assert ended.facts == []
    assert not folder.awaits_manager


def test_a_cancel_marker_is_told_of_at_each_look(ended: Ended) -> None:
    folder = ended.store.folder("live")
    folder.path.mkdir(parents=True)
    ended.markers.look_at_live(folder, "the-uid")
    assert not module.cancel_asked(folder)
    assert ended.facts == []
    folder.cancel_marker.touch()
    for _ in range(2):
        ended.markers.look_at_live(folder, "the-uid")
    assert module.cancel_asked(folder)
    assert [fact.uid for fact in ended.facts if isinstance(fact, CancelRequested)] == ["the-uid"] * 2


def test_a_marker_is_removed_where_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "retry").touch()
    for _ in range(2):
        module.remove(tmp_path / "retry")
    assert list(tmp_path.iterdir()) == []


def test_a_cancel_that_is_asked_for_again_is_told_from_the_first(ended: Ended) -> None:
    folder = ended.store.folder("live")
    folder.path.mkdir(parents=True)
    folder.request_cancel()
    first = module.cancel_asked(folder)
    assert first is not None and module.cancel_asked(folder) == first

    def asked_again() -> bool:
        folder.request_cancel()
        return module.cancel_asked(folder) != first

    until(asked_again)  # clocks of file systems are coarse
