"""A task makes folders with something in them in its inbox: they can't be removed, and hide real requests.

What is refused is put away by one rename, and is not read again.
"""

import json
from pathlib import Path

import pytest

from manager.folder.inbox import Inbox
from manager.model.facts import RequestRefused, TaskRequested
from tests.unit.manager.builders import T0, UID

GOOD = {"id": "b", "command": "true"}


@pytest.fixture
def new(tmp_path: Path) -> Path:
    (tmp_path / "inbox" / "new").mkdir(parents=True)
    return tmp_path / "inbox" / "new"


@pytest.mark.parametrize("name", ["r{}", " not a name {}"])
def test_folders_go_away_and_what_is_behind_them_is_read(new: Path, name: str) -> None:
    for number in range(1500):
        (new / name.format(number) / "full").mkdir(parents=True)
    (new / "real.json").write_text(json.dumps(GOOD))
    inbox, told = Inbox(new.parent, clock=lambda: 0.0), []
    while facts := inbox.drain(UID, T0):
        told += facts
        inbox.forget([fact.request for fact in facts])
    assert sum(isinstance(fact, RequestRefused) for fact in told) == 1500
    assert [fact.request for fact in told if isinstance(fact, TaskRequested)] == ["real.json"]
    assert list(new.iterdir()) == []
    assert len(list((new.parent / "refused").iterdir())) == 1500


def test_what_cannot_even_be_put_away_is_told_once(new: Path) -> None:
    (new.parent / "refused").symlink_to("/tmp")
    (new / "r1" / "full").mkdir(parents=True)
    inbox = Inbox.of_job(new.parent.parent)
    assert len(inbox.drain(UID, T0)) == 1
    inbox.forget(["r1"])
    assert (new / "r1" / "full").is_dir()
    assert inbox.drain(UID, T0) == []


def test_what_was_put_away_goes_with_what_was_left_over(new: Path) -> None:
    (new / "r1" / "full").mkdir(parents=True)
    inbox = Inbox.of_job(new.parent.parent)
    inbox.forget(["r1"])
    inbox.close()
    inbox.empty_closed()
    assert list(new.parent.iterdir()) == []
