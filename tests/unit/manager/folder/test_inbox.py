"""Requests from tasks: what is well-formed is read, the rest refused with its reason; nothing blocks."""

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from manager.folder import inbox
from manager.folder.inbox import Inbox
from manager.model.facts import RequestRefused, TaskRequested
from tests.unit.manager.builders import T0, UID

GOOD = {"id": "b", "command": "echo", "args": ["hi"], "dependencies": ["a"]}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    for folder in ("tmp", "new"):
        (tmp_path / "job" / "inbox" / folder).mkdir(parents=True)
    return tmp_path / "job"


@pytest.fixture(autouse=True)
def never_slow() -> Iterator[None]:
    """Nothing that lies in an inbox makes reading it slow."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 10


def put(job: Path, name: str | bytes, content: bytes | dict[str, object]) -> Path:
    file = job / "inbox" / "new" / (os.fsdecode(name) if isinstance(name, bytes) else name)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return file


def drained(job: Path) -> list[TaskRequested | RequestRefused]:
    return Inbox.of_job(job).drain(UID, T0)


def only(job: Path) -> TaskRequested | RequestRefused:
    (fact,) = drained(job)
    return fact


def reason(job: Path) -> str:
    fact = only(job)
    assert isinstance(fact, RequestRefused)
    return fact.reason


def test_a_request_becomes_a_task_and_its_file_name_is_its_id(job: Path) -> None:
    put(job, "r1.json", GOOD)
    fact = only(job)
    assert isinstance(fact, TaskRequested)
    assert (fact.uid, fact.request, fact.at) == (UID, "r1.json", T0)
    assert fact.spec.model_dump(exclude_defaults=True) == GOOD | {"args": ("hi",), "dependencies": ("a",)}


def test_a_request_is_there_until_it_is_forgotten(job: Path) -> None:
    file = put(job, "r1.json", GOOD)
    assert drained(job) == drained(job) != []
    Inbox.of_job(job).forget(["r1.json"])
    assert not file.exists()
    assert drained(job) == []


def test_requests_come_oldest_first(job: Path) -> None:
    for number, name in enumerate(["z", "m", "a"]):
        os.utime(put(job, name, GOOD), (1000 + number, 1000 + number))
    assert [fact.request for fact in drained(job)] == ["z", "m", "a"]


def test_what_is_still_being_written_in_tmp_is_not_read(job: Path) -> None:
    (job / "inbox" / "tmp" / "r1.json").write_bytes(b"{")
    assert drained(job) == []


def test_a_job_without_an_inbox_has_no_requests(tmp_path: Path) -> None:
    assert drained(tmp_path) == []


def test_no_more_than_so_many_are_read_at_once(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_AT_ONCE", 3)
    for number in range(7):
        put(job, f"r{number}", GOOD)
    assert len(drained(job)) == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON: line 1, column 1"),
        (b'{"id": "b",\n "command": }', "is not JSON: line 2, column 13"),
        (b'{"id": "b", "id": "c", "command": "x"}', "has the key 'id' twice"),
        (b'{"id": "b", "command": "x", "timeout": NaN}', "has NaN"),
        (b'{"id": "b", "command": "x", "timeout": -Infinity}', "has -Infinity"),
        (b'{"id": "b", "command": "\xff"}', "is not UTF-8: byte 24 is 0xff"),
        (b"[" * 2_000, "nested too deeply"),
        (b'{"a":' * 1_000 + b"1" + b"}" * 1_000, "nested too deeply"),
        (b'{"id": "b", "command": "x", "retries": ' + b"9" * 10_000 + b"}", "digits"),
        (b"[1]", "must be an object, not a list"),
        (b'"x"', "must be an object, not a string"),
        (b"null", "must be an object, not null"),
        (b'{"command": "x"}', "id: is missing"),
        (b'{"id": "b"}', "command: is missing"),
        (b'{"id": "b", "command": ""}', "command: must not be empty"),
        (b'{"id": "b", "command": "x", "args": "y"}', "args: must be a list, not a string"),
        (b'{"id": "b", "command": "x", "args": [1]}', "args[0]: must be a string, not the number 1"),
        (b'{"id": "b", "command": "x\\u0000y"}', "NUL"),
        (b'{"id": "b", "command": "x", "user": "0"}', "user"),
        (b'{"id": "b", "command": "x", "volumes": ["/"]}', "volumes: is not a known field"),
        (b'{"id": "../x", "command": "x"}', "must be 1 to 200"),
        (b'{"id": "/", "command": "x"}', "must be 1 to 200"),
        (b'{"id": "a\\u0000", "command": "x"}', "id"),
        (b'{"id": "' + b"n" * 300 + b'", "command": "x"}', "must be 1 to 200"),
        ('{"id": "\u0430dmin", "command": "x"}'.encode(), "must be 1 to 200"),
        (b'{"id": "b\\n", "command": "x"}', "must be 1 to 200"),
    ],
)
def test_a_malformed_request_is_refused_with_the_place_and_the_rule(
    job: Path, content: bytes, words: str
) -> None:
    put(job, "r1.json", content)
    assert words in reason(job)
    Inbox.of_job(job).forget(["r1.json"])
    assert drained(job) == []


def test_a_huge_request_is_refused_before_it_is_read(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with put(job, "r1.json", b"").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte, as a hole

    def forbidden(*_: object) -> bytes:
        raise AssertionError("it is read")

    monkeypatch.setattr(os, "read", forbidden)
    assert reason(job) == f"is larger than {inbox.MAX_REQUEST_BYTES} bytes"


def test_a_link_is_not_followed_and_its_target_is_untouched(job: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(GOOD))
    (job / "inbox" / "new" / "r1.json").symlink_to(secret)
    assert "a request is a regular file" in reason(job)
    Inbox.of_job(job).forget(["r1.json"])
    assert secret.exists()
    assert drained(job) == []


def test_a_hard_link_to_another_file_is_refused_and_the_file_stays(job: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(GOOD))
    (job / "inbox" / "new" / "r1.json").hardlink_to(secret)
    assert "not a regular file with one name" in reason(job)
    Inbox.of_job(job).forget(["r1.json"])
    assert json.loads(secret.read_text()) == GOOD


def test_a_fifo_is_refused_without_waiting_for_a_writer(job: Path) -> None:
    os.mkfifo(job / "inbox" / "new" / "r1.json")
    assert "not a regular file" in reason(job)
    Inbox.of_job(job).forget(["r1.json"])
    assert drained(job) == []


def test_a_socket_is_refused(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(job / "inbox" / "new")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("r1.json")
        assert "a request is a regular file" in reason(job)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_is_refused(job: Path) -> None:
    os.mknod(job / "inbox" / "new" / "r1.json", 0o20666, os.makedev(1, 5))  # /dev/zero
    assert "not a regular file" in reason(job) or "can't be opened" in reason(job)


def test_a_folder_is_refused_and_goes_when_it_is_empty(job: Path) -> None:
    (job / "inbox" / "new" / "r1.json").mkdir()
    assert "not a regular file" in reason(job)
    Inbox.of_job(job).forget(["r1.json"])
    assert drained(job) == []


@pytest.mark.parametrize(
    "name", [b"..hidden", b"a b", b"\xff\xfe", "\u0430.json".encode(), b"n" * 255, b"a\nb"]
)
def test_a_file_whose_name_breaks_the_rule_is_refused_and_gone(job: Path, name: bytes) -> None:
    file = put(job, name, GOOD)
    fact = only(job)
    assert isinstance(fact, RequestRefused)
    assert "must be 1 to 200" in fact.reason
    assert fact.request.isascii()
    assert fact.request.isprintable()
    assert not file.exists()


@pytest.mark.parametrize("name", ["new", "."])
def test_an_inbox_that_is_swapped_for_a_link_is_not_followed(job: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "elsewhere"
    (target / "new").mkdir(parents=True)
    (target / "r1.json").write_text(json.dumps(GOOD))
    (target / "new" / "r1.json").write_text(json.dumps(GOOD))
    place = job / "inbox" / name if name != "." else job / "inbox"
    place.rename(tmp_path / "moved")
    place.symlink_to(target)
    assert drained(job) == []
    Inbox.of_job(job).forget(["r1.json"])
    assert (target / "r1.json").exists()
    assert (target / "new" / "r1.json").exists()


def test_a_closed_inbox_takes_nothing_more_and_can_be_opened_again(job: Path) -> None:
    put(job, "r1.json", GOOD)
    Inbox.of_job(job).close()
    assert not (job / "inbox" / "new").exists()
    assert [fact.request for fact in Inbox.of_job(job).drain_closed(UID, T0)] == ["r1.json"]
    Inbox.of_job(job).reopen()
    assert [fact.request for fact in drained(job)] == ["r1.json"]


def test_a_request_in_a_closed_inbox_can_be_forgotten(job: Path) -> None:
    put(job, "r1.json", GOOD)
    Inbox.of_job(job).close()
    Inbox.of_job(job).forget(["r1.json"])
    assert Inbox.of_job(job).drain_closed(UID, T0) == []
