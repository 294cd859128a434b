"""A task puts very many requests into its inbox, and makes something happen there every few milliseconds.

No more is told of an inbox before what was told has gone, so nothing grows in the manager; and an inbox in
which much happens rests: it is neither looked at nor watched meanwhile.
"""

import json
from pathlib import Path

import pytest

from air_executor.store import Store
from manager.folder import inbox as inboxes
from manager.folder.file_events import Change
from manager.folder.inbox import MAX_AT_ONCE, Inbox
from manager.folder.scanner import Places, Scanner
from manager.model.facts import RequestRefused
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import Start, a_task
from tests.unit.manager.builders import T0, UID, settings
from tests.unit.manager.folder.by_hand import TASKS, ByHand
from tests.waiting import until

GOOD = {"id": "b", "command": "true"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def new(tmp_path: Path) -> Path:
    (tmp_path / "inbox" / "new").mkdir(parents=True)
    return tmp_path / "inbox" / "new"


def put(new: Path, count: int) -> None:
    for number in range(count):
        (new / f"r{number:04}").write_text(json.dumps(GOOD))


def test_no_more_is_told_before_what_was_told_has_gone(new: Path) -> None:
    put(new, 1000)
    inbox = Inbox.of_job(new.parent.parent)
    told = [fact for _ in range(50) for fact in inbox.drain(UID, T0)]
    assert len(told) == MAX_AT_ONCE
    inbox.forget([fact.request for fact in told[:10]])
    assert len(inbox.drain(UID, T0)) == 10


def test_all_of_them_are_read_in_the_end(new: Path) -> None:
    put(new, 1000)
    inbox, told = Inbox(new.parent, clock=Clock()), []
    while facts := inbox.drain(UID, T0):
        told += [fact.request for fact in facts]
        inbox.forget(told)
    assert len(set(told)) == 1000


def test_an_inbox_in_which_much_happens_rests_longer_the_more_it_is(new: Path) -> None:
    clock = Clock()
    inbox = Inbox(new.parent, clock=clock)
    for _ in range(50):
        inbox.disturb()
    assert inbox.rest <= 0
    for _ in range(100):
        inbox.disturb()
    put(new, 1)
    assert inbox.drain(UID, T0) == []
    clock.now += inbox.rest
    assert len(inbox.drain(UID, T0)) == 1


def test_a_storm_of_events_is_neither_watched_nor_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand, places = ByHand(tmp_path), Places()
    hand.client.create_job("job", TASKS)
    new = hand.jobs / "job" / "inbox" / "new"
    new.mkdir(parents=True)
    scanner = Scanner(
        Store(tmp_path), settings(tmp_path), places, inboxes.Inboxes(), hand.facts.append, lambda: None
    )
    scanner.events_begin()
    places.follow("job", UID)
    scanner.look()
    assert new in scanner.watched()
    looks = []
    monkeypatch.setattr(inboxes, "_listed", lambda handle, most: looks.append(handle) or {})
    for number in range(1000):
        scanner.heed([Change(new / f"r{number}")])
        scanner.look()
    assert len(looks) < 200
    assert new not in scanner.watched()
    assert scanner.inboxes_rest is not None


def test_a_neighbour_runs_while_an_inbox_is_flooded(
    start: Start, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a whole manager, on an engine that is none."""
    looks: list[int] = []
    listed = inboxes._listed

    def counted(handle: int, most: int) -> dict[str, tuple[int, int]]:
        looks.append(handle)
        return listed(handle, most)

    monkeypatch.setattr(inboxes, "_listed", counted)
    manager = start()
    manager.client.create_job("hostile", [a_task("a", command="long")])
    manager.until_status("a", "running", "hostile")
    new = manager.home / "jobs" / "hostile" / "inbox" / "new"
    for number in range(3000):
        (new / f"r{number}").write_bytes(b"[]")
    assert manager.run(a_task("a"), name="neighbour").state == "completed"
    until(lambda: len(manager.state("hostile").get("requests", ())) > 100)
    assert all(not each["accepted"] for each in manager.state("hostile")["requests"])
    assert len(looks) < 1000
    manager.client.cancel("hostile")
    assert manager.client.wait("hostile", 30).state == "failed"
    assert manager.facts.qsize() < 2 * MAX_AT_ONCE


def test_only_so_many_refusals_are_kept() -> None:
    from manager.core.live_job import MAX_REFUSALS
    from tests.unit.manager.builders import at, live_job, task

    job = live_job(task("a"))
    for number in range(10 * MAX_REFUSALS):
        job.apply(RequestRefused(uid=UID, request=f"r{number}", reason="x" * 10_000, at=at(1)))
    assert sum(len(each.model_dump_json()) for each in job.requests.values()) < 1000 * MAX_REFUSALS
