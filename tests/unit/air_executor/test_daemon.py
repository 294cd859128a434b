import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from air_executor import daemon
from air_executor.clock import utc_now
from air_executor.format.fields import format_time
from air_executor.policy import Policy
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
    """What was said is said by this process, and when it ends that is said as well."""
    words = json.loads((home / daemon.STATUS).read_text())
    speak(home, words | {"process": daemon.process_of(os.getpid()), "pid": os.getpid()})
    try:
        yield
    finally:
        speak(home, words)


def speak(home: Path, words: object = WORDS) -> None:
    (home / daemon.STATUS).write_text(json.dumps(words))


def test_no_manager_runs_where_none_ever_did(home: Path) -> None:
    assert not daemon.running(home)
    assert not daemon.running(home / "nowhere")


def test_a_manager_runs_while_its_process_is_there(home: Path) -> None:
    speak(home)
    with manager(home):
        assert daemon.running(home)
    assert not daemon.running(home)


def test_another_process_that_has_its_number_is_not_the_manager(home: Path) -> None:
    mine = daemon.process_of(os.getpid())
    assert mine is not None
    speak(home, WORDS | {"pid": os.getpid(), "process": mine + "0", "updated_at": format_time(utc_now())})
    assert not daemon.running(home)


def test_one_whose_process_can_not_be_seen_runs_if_it_spoke_just_now_and_has_not_stopped(home: Path) -> None:
    now = format_time(utc_now())
    elsewhere = WORDS | {"process": "pid:[1] 5", "updated_at": now}
    for words, runs in (
        (elsewhere, True),
        (WORDS | {"updated_at": now}, True),
        (elsewhere | {"stopped": True}, False),
        (elsewhere | {"updated_at": WORDS["updated_at"]}, False),
    ):
        speak(home, words)
        assert daemon.running(home) is runs


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


def publish_rules(home: Path, **rules: object) -> Policy:
    (home / daemon.POLICY).write_text(json.dumps({"schema": 1, "policy": rules}))
    return Policy.model_validate(rules)


def test_what_the_operator_allows_is_told_while_the_manager_runs_and_not_by_one_that_has_ended(
    home: Path,
) -> None:
    rules = publish_rules(home, images=["debian:*"])
    speak(home)
    assert daemon.read_policy(home) is None
    with manager(home):
        assert daemon.read_policy(home) == rules


def test_rules_that_are_not_there_or_no_file_or_too_large_are_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak(home)
    with manager(home):
        assert daemon.read_policy(home) is None
        os.mkfifo(home / daemon.POLICY)
        assert daemon.read_policy(home) is None
        (home / daemon.POLICY).unlink()
        publish_rules(home)
        assert daemon.read_policy(home) is not None
        monkeypatch.setattr(daemon, "MOST_RULES", 10)
        assert daemon.read_policy(home) is None
