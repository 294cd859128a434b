"""A job writer leaves very many folders that are no jobs, or half of one: each look at them takes time.

What bounds it: what has been no job for long is looked at less and less often, unless something happens in
it; and only so many of them are watched.
"""

import time
from pathlib import Path

import pytest

from air_executor.store import Store
from manager.folder import scanner as module
from manager.folder.inbox import Inboxes
from manager.folder.scanner import MAX_WATCHED, Places, Scanner
from manager.model.facts import JobFound
from tests.unit.manager.builders import settings
from tests.unit.manager.folder.by_hand import ByHand

HALVES = 100


class Clock:
    def __init__(self) -> None:
        self.now = time.monotonic()

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module.time, "monotonic", clock.monotonic)
    return clock


def test_half_jobs_are_looked_at_less_often_and_few_are_watched(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = ByHand(tmp_path)
    for number in range(HALVES):
        hand.write(f"half{number}", tasks=None)
    scanner = Scanner(
        Store(tmp_path), settings(tmp_path), Places(), Inboxes(), hand.facts.append, lambda: None
    )
    looks: list[str] = []
    real = scanner._reader.contents

    def contents(folder: object) -> object:
        looks.append("")
        return real(folder)  # type: ignore[arg-type]

    monkeypatch.setattr(scanner._reader, "contents", contents)
    for _ in range(600):  # ten minutes, a look every second
        clock.now += 1
        scanner.look()
    assert len(looks) < HALVES * 600 / 2
    assert len(list(scanner.watched())) <= 1 + MAX_WATCHED


def test_one_that_becomes_a_job_is_noticed_at_once_all_the_same(tmp_path: Path, clock: Clock) -> None:
    hand = ByHand(tmp_path)
    folder = hand.write("hand", tasks=None)
    scanner = Scanner(
        Store(tmp_path), settings(tmp_path), Places(), Inboxes(), hand.facts.append, lambda: None
    )
    for _ in range(600):
        clock.now += 1
        scanner.look()
    hand.write("hand")
    scanner.heed([module.Change(folder / "tasks.json")])
    scanner.look()
    assert [fact.name for fact in hand.of(JobFound)] == ["hand"]
