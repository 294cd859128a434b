"""A task puts a few large requests into its inbox, each of which costs the manager a second.

A request is 16 KiB at most, the first error ends it, and what has been told is not read again.
"""

import os
from pathlib import Path

import pytest

from air_executor.format.limits import MAX_REQUEST_BYTES
from manager.folder.inbox import Inbox
from manager.model.facts import RequestRefused
from tests.unit.manager.builders import T0, UID


@pytest.fixture
def new(tmp_path: Path) -> Path:
    (tmp_path / "inbox" / "new").mkdir(parents=True)
    return tmp_path / "inbox" / "new"


def request(size: int) -> bytes:
    return b'{"id":"b","command":"x","retries":{"on":[' + b",".join([b"1"] * (size // 2 - 25)) + b"]}}"


def test_large_ones_are_refused_unread(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(25):
        (new / f"r{number}").write_bytes(request(256_000))
    monkeypatch.setattr(os, "read", None)
    facts = Inbox.of_job(new.parent.parent).drain(UID, T0)
    assert len(facts) == 25
    assert all(isinstance(fact, RequestRefused) and "larger than 16384" in fact.reason for fact in facts)


@pytest.mark.parametrize("size", [200, 4_000, MAX_REQUEST_BYTES])
def test_of_small_ones_the_first_error_is_told_and_no_other(new: Path, size: int) -> None:
    (new / "r").write_bytes(request(size))
    (fact,) = Inbox.of_job(new.parent.parent).drain(UID, T0)
    assert isinstance(fact, RequestRefused)
    assert "more)" not in fact.reason
    assert len(fact.reason) < 200


def test_what_was_told_is_not_read_again(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (new / "r").write_bytes(request(1_000))
    inbox = Inbox.of_job(new.parent.parent)
    assert len(inbox.drain(UID, T0)) == 1
    monkeypatch.setattr(os, "read", None)
    assert inbox.drain(UID, T0) == []
