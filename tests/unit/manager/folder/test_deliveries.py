"""What is collected of a command that has succeeded, and at what pace."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from air_executor.format.results import Result
from manager.folder import deliveries
from manager.folder.pace import USUAL, Pace
from manager.model.assignment import Assignment
from manager.model.delivery import NOTHING
from manager.model.home import GateFolder
from tests.unit.manager.builders import container, granted, key, task


def promising(folder: Path, *patterns: str, **rules: Any) -> Assignment:
    """An attempt that has left a result and some files."""
    (folder / "gate/inbox/result").mkdir(parents=True)
    (folder / "gate/inbox/result/result.json").write_text("42")
    (folder / "work/deep").mkdir(parents=True)
    for name in ("a.csv", "deep/b.csv"):
        (folder / "work" / name).write_text(name)
    asked = task(outputs=patterns)
    spec = container(asked, key())
    gate = GateFolder(folder / "gate")
    return Assignment(key(), folder, folder / "work", asked, granted(asked, **rules), spec, gate, None)


def nobody() -> None:
    """Who is told of signs of life."""


def test_result_and_outputs_come_together(tmp_path: Path) -> None:
    found = deliveries.collect(promising(tmp_path, "**/*.csv"), USUAL, nobody)
    assert found.result == Result("42")
    assert [file.path for file in found.produced] == ["a.csv", "deep/b.csv"]


def test_each_step_is_a_sign_of_life(tmp_path: Path) -> None:
    signs: list[None] = []
    deliveries.collect(promising(tmp_path, "**/*.csv"), USUAL, lambda: signs.append(None))
    assert len(signs) >= 4


def test_where_one_can_not_be_taken_nothing_is(tmp_path: Path) -> None:
    found = deliveries.collect(promising(tmp_path, "*.csv", "*.txt"), USUAL, nobody)
    assert found.problem is not None and "'*.txt'" in found.problem
    assert (found.result, found.produced) == (None, ())


def test_a_folder_that_never_ends_is_given_up(tmp_path: Path) -> None:
    asked = promising(tmp_path, "**")
    for number in range(20):
        (asked.work / str(number)).touch()
    found = deliveries.collect(asked, Pace(names=1), nobody)
    assert found.problem is not None and "more in it than can be looked through" in found.problem


def test_who_ends_the_pace_ends_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manager.folder.pace.AT_ONCE", 1)

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliveries.collect(promising(tmp_path, "**"), Pace(sleep=stop), nobody)


def test_of_an_attempt_that_an_older_manager_claimed_nothing_is_taken(tmp_path: Path) -> None:
    asked = promising(tmp_path, "*.csv")
    older = replace(asked, grant=asked.grant.model_copy(update={"result_kb": None, "outputs_mb": None}))
    assert deliveries.collect(older, USUAL, nobody) == NOTHING
