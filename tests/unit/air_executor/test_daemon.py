import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from air_executor import daemon
from tests.unit.air_executor.builders import NOON

WORDS = {
    "pid": 7,
    "host": "box",
    "started_at": "2025-10-02T12:00:00Z",
    "updated_at": "2025-10-02T12:00:05Z",
    "runners": 2,
    "max_runners": 10,
    "engine": "Docker 26.1.5",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@contextmanager
def manager(home: Path) -> Iterator[None]:
    """Somebody who holds the lock as the manager does."""
    handle = os.open(home / daemon.LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


def speak(home: Path, words: object = WORDS) -> None:
    (home / daemon.STATUS).write_text(json.dumps(words))


def test_no_manager_runs_where_none_ever_did(home: Path) -> None:
    assert not daemon.running(home)
    assert not daemon.running(home / "nowhere")


def test_a_manager_runs_while_it_holds_the_lock(home: Path) -> None:
    with manager(home):
        assert daemon.running(home)
    assert not daemon.running(home)


def test_asking_does_not_keep_a_manager_from_starting(home: Path) -> None:
    (home / daemon.LOCK).touch()
    daemon.running(home)
    with (home / daemon.LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_managers_words_are_read(home: Path) -> None:
    speak(home)
    status = daemon.read_status(home)
    assert status is not None
    assert (status.runners, status.max_runners, status.started_at) == (2, 10, NOON)


@pytest.mark.parametrize("words", [[], {}, {**WORDS, "runners": "many"}, "x"])
def test_words_that_make_no_sense_are_no_words(home: Path, words: object) -> None:
    speak(home, words)
    assert daemon.read_status(home) is None


def test_the_diagnosis_without_a_manager_says_how_to_start_one(home: Path) -> None:
    text = daemon.diagnosis(home)
    assert f"No manager is running for {home}" in text
    assert "make up" in text
    assert f"{home / 'manager.log'} is not there yet" in text


def test_the_diagnosis_with_a_manager_tells_of_its_runners_and_ends_with_its_log(home: Path) -> None:
    speak(home)
    (home / daemon.LOG).write_text("".join(f"line {number}\n" for number in range(9)))
    with manager(home):
        text = daemon.diagnosis(home)
    assert "2 of 10 runners in use, engine: Docker 26.1.5" in text
    assert text.endswith("line 4\nline 5\nline 6\nline 7\nline 8")


def test_the_diagnosis_tells_of_images_that_are_pulled(home: Path) -> None:
    speak(home, WORDS | {"pulling": ["alpine: 1 of 2 layers", "debian: nothing yet"]})
    with manager(home):
        assert "; it is pulling alpine: 1 of 2 layers, debian: nothing yet; " in daemon.diagnosis(home)


def test_the_diagnosis_does_without_what_may_not_be_read(home: Path) -> None:
    (home / daemon.LOG).mkdir()  # root may read any file, but nobody a folder
    assert "can't be read" in daemon.diagnosis(home)
