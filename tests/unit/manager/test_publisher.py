"""The views: always whole, always the latest in the end, and nobody else's edit is lost."""

import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manager import publisher as module
from manager.facts import Fact, JobPublished
from manager.publisher import Publisher, Views
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


def views(folder: Path, number: int, tasks: int = 1, last: bool = False) -> Views:
    entries = tuple(json.dumps({"id": f"t{index}", "n": number}) for index in range(tasks))
    return Views("uid", folder, json.dumps({"n": number}) + "\n", entries, last)


def state(folder: Path) -> Any:
    try:
        return json.loads((folder / "state.json").read_text())["n"]
    except FileNotFoundError:
        return None


def test_views_are_written_and_the_last_one_is_told(
    publisher: Publisher, folder: Path, facts: list[Fact]
) -> None:
    publisher.publish(views(folder, 1))
    until(lambda: state(folder) == 1)
    assert facts == []
    publisher.publish(views(folder, 2, last=True))
    until(lambda: facts == [JobPublished("uid")])
    assert state(folder) == 2
    assert json.loads((folder / "tasks.json").read_text()) == [{"id": "t0", "n": 2}]
    assert sorted(file.name for file in folder.iterdir()) == ["state.json", "tasks.json"]


def test_whoever_reads_a_thousand_times_a_second_never_sees_half_a_file(
    publisher: Publisher, folder: Path, facts: list[Fact]
) -> None:
    publisher.publish(views(folder, 0, tasks=200))
    until(lambda: state(folder) == 0)
    seen: list[int] = []
    wrong: list[str] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            try:
                job = json.loads((folder / "state.json").read_text())["n"]
                tasks = json.loads((folder / "tasks.json").read_text())
                if len(tasks) != 200 or len({task["n"] for task in tasks}) != 1:
                    wrong.append("half a file")
                if tasks[0]["n"] < job:
                    wrong.append("tasks that are older than the state read before")
                seen.append(job)
            except (OSError, ValueError) as error:
                wrong.append(repr(error))
            time.sleep(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 300):
        publisher.publish(views(folder, number, tasks=200, last=number == 299))
        time.sleep(0.003)
    until(lambda: facts)
    ended.set()
    reader.join()
    assert wrong == []
    assert seen == sorted(seen)
    assert len(set(seen)) > 10


def test_a_job_that_changes_faster_than_it_can_be_written_is_written_less_often(
    publisher: Publisher, folder: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
) -> None:
    spent: list[float] = []
    real = module.write_durably

    def slow(path: Path, text: str) -> os.stat_result:
        began = time.monotonic()
        time.sleep(0.01)
        status = real(path, text)
        spent.append(time.monotonic() - began)
        return status

    monkeypatch.setattr(module, "write_durably", slow)
    began = time.monotonic()
    for number in range(500):
        publisher.publish(views(folder, number, last=number == 499))
        time.sleep(0.001)
    until(lambda: facts)
    assert state(folder) == 499
    assert sum(spent) < 0.5 * (time.monotonic() - began), "it wrote more than it rested"


def test_one_busy_job_does_not_keep_another_waiting(
    publisher: Publisher, folder: Path, tmp_path: Path, facts: list[Fact]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for number in range(50):
        publisher.publish(views(folder, number))
    publisher.publish(Views("other", other, '{"n": 7}', ("{}",), last=False))
    until(lambda: state(other) == 7, 1)


def test_the_state_alone_is_written_when_the_tasks_did_not_change(publisher: Publisher, folder: Path) -> None:
    publisher.publish(views(folder, 1))
    until(lambda: state(folder) == 1)
    before = (folder / "tasks.json").stat().st_ino
    publisher.publish(Views("uid", folder, '{"n": 2}', views(folder, 1).tasks, last=False))
    until(lambda: state(folder) == 2)
    assert (folder / "tasks.json").stat().st_ino == before


def test_tasks_that_could_not_be_read_are_left_alone(
    publisher: Publisher, folder: Path, facts: list[Fact]
) -> None:
    (folder / "tasks.json").write_text("{ not JSON")
    publisher.publish(Views("uid", folder, '{"n": 1}', None, last=True))
    until(lambda: facts)
    assert (folder / "tasks.json").read_text() == "{ not JSON"


@pytest.mark.parametrize("name", ["state.json", "tasks.json"])
@pytest.mark.parametrize("how", ["in place", "by rename"])
def test_an_edit_is_set_aside_and_the_managers_own_put_back(
    publisher: Publisher, folder: Path, name: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.publish(views(folder, 1))
    until(lambda: state(folder) == 1)
    until(lambda: publisher._current)
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
    publisher.publish(views(folder, 1))
    until(lambda: publisher._current)
    for name in ("state.json", "tasks.json"):
        (folder / name).unlink()
        publisher.restore()
        until((folder / name).exists)


def test_a_look_for_edits_writes_nothing_when_there_are_none(publisher: Publisher, folder: Path) -> None:
    publisher.publish(views(folder, 1))
    until(lambda: publisher._current)
    before = (folder / "state.json").stat().st_ino
    for _ in range(5):
        publisher.restore()
    publisher.publish(Views("other", folder.parent, "{}", None, last=False))
    until((folder.parent / "state.json").exists)
    assert (folder / "state.json").stat().st_ino == before


def test_a_look_for_edits_in_the_middle_of_a_write_brings_nothing_old_back(
    publisher: Publisher, folder: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.write_durably

    def looked_at(path: Path, text: str) -> os.stat_result:
        status = real(path, text)
        publisher.restore()  # the file is new, and not yet known to be the publisher's own
        return status

    monkeypatch.setattr(module, "write_durably", looked_at)
    for number in range(5):
        publisher.publish(views(folder, number, last=number == 4))
        until(lambda number=number: state(folder) == number)
    until(lambda: facts)
    publisher.stop(timeout=5)
    assert state(folder) == 4
    assert not list(folder.glob("*.edited-*"))


def test_a_write_that_fails_is_tried_again(
    publisher: Publisher,
    folder: Path,
    facts: list[Fact],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "RETRY_PAUSE", 0.05)
    troubles = [OSError(28, "No space left on device")] * 3
    real = module.write_durably

    def failing(path: Path, text: str) -> os.stat_result:
        if troubles:
            raise troubles.pop()
        return real(path, text)

    monkeypatch.setattr(module, "write_durably", failing)
    publisher.publish(views(folder, 1, last=True))
    until(lambda: facts == [JobPublished("uid")])
    assert state(folder) == 1
    assert "No space left on device" in caplog.text


def test_later_views_win_over_those_that_could_not_be_written(
    publisher: Publisher, folder: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_PAUSE", 0.05)
    full = threading.Event()
    full.set()
    tried = threading.Event()
    real = module.write_durably

    def failing(path: Path, text: str) -> os.stat_result:
        if full.is_set():
            tried.set()
            raise OSError(28, "No space left on device")
        return real(path, text)

    monkeypatch.setattr(module, "write_durably", failing)
    publisher.publish(views(folder, 1))
    assert tried.wait(5)
    publisher.publish(views(folder, 2, last=True))
    full.clear()
    until(lambda: facts)
    assert state(folder) == 2


def test_a_folder_that_is_gone_is_not_made_again(
    publisher: Publisher, folder: Path, facts: list[Fact]
) -> None:
    folder.rmdir()
    publisher.publish(views(folder, 1, last=True))
    until(lambda: facts == [JobPublished("uid")])
    assert not folder.exists()


def test_what_is_wanted_is_written_before_the_publisher_stops(folder: Path) -> None:
    publisher = Publisher(lambda fact: None)
    publisher.start()
    for number in range(30):
        publisher.publish(views(folder, number, tasks=500))
    publisher.stop(timeout=5)
    assert state(folder) == 29


def test_a_disk_that_stays_full_does_not_keep_the_manager_from_stopping(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path, text: str) -> os.stat_result:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_durably", failing)
    publisher = Publisher(lambda fact: None)
    publisher.start()
    publisher.publish(views(folder, 1))
    began = time.monotonic()
    publisher.stop(timeout=30)
    assert time.monotonic() - began < 5


def test_an_edit_right_after_a_write_is_noticed_as_one(
    publisher: Publisher, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the publisher could even look at what it wrote."""
    real = module.write_durably

    def edited_at_once(path: Path, text: str) -> os.stat_result:
        status = real(path, text)
        if path.name == "state.json" and not list(folder.glob("*.edited-*")):
            path.write_text("an edit")
        return status

    monkeypatch.setattr(module, "write_durably", edited_at_once)
    publisher.publish(views(folder, 1))
    until(lambda: publisher._current)
    publisher.restore()
    until(lambda: list(folder.glob("state.json.edited-*")))
    until(lambda: (folder / "state.json").read_text() != "an edit")
    assert state(folder) == 1


def test_a_reader_finds_a_view_at_any_moment_even_while_an_edit_is_set_aside(
    publisher: Publisher, folder: Path
) -> None:
    publisher.publish(views(folder, 1))
    until(lambda: publisher._current)
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
    publisher.publish(views(folder, 1))
    until(lambda: publisher._current)
    publisher.forget("uid")
    (folder / "state.json").write_text('{"n": "of another job"}')
    publisher.restore()
    publisher.publish(Views("other", folder.parent, "{}", None, last=False))
    until((folder.parent / "state.json").exists)
    assert state(folder) == "of another job"
