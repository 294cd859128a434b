"""What is collected of a command that has succeeded, and at what pace."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.results import Result
from manager.folder import deliveries
from manager.folder.pace import USUAL, Pace
from manager.folder.secret_values import SecretUnreadable
from manager.model.assignment import Assignment
from manager.model.delivery import NOTHING
from manager.model.home import GateFolder
from tests.unit.manager.builders import container, granted, key, task

SECRET = 's3cret"value'


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


def no_secrets(assignment: Assignment) -> tuple[bytes, ...]:
    """It has none."""
    return ()


def one_secret(assignment: Assignment) -> tuple[bytes, ...]:
    """It has one, with what JSON writes in another way."""
    return (SECRET.encode(),)


def unreadable(assignment: Assignment) -> tuple[bytes, ...]:
    """Whoever had it is gone."""
    raise SecretUnreadable("the secret 'db' can't be read")


def test_result_and_outputs_come_together(tmp_path: Path) -> None:
    found = deliveries.collect(promising(tmp_path, "**/*.csv"), no_secrets, USUAL, nobody)
    assert found.result == Result("42")
    assert [file.path for file in found.produced] == ["a.csv", "deep/b.csv"]


def test_each_step_is_a_sign_of_life(tmp_path: Path) -> None:
    signs: list[None] = []
    deliveries.collect(promising(tmp_path, "**/*.csv"), no_secrets, USUAL, lambda: signs.append(None))
    assert len(signs) >= 4


def test_where_one_can_not_be_taken_nothing_is(tmp_path: Path) -> None:
    found = deliveries.collect(promising(tmp_path, "*.csv", "*.txt"), no_secrets, USUAL, nobody)
    assert found.problem is not None and "'*.txt'" in found.problem
    assert (found.result, found.produced) == (None, ())


def test_a_folder_that_never_ends_is_given_up(tmp_path: Path) -> None:
    asked = promising(tmp_path, "**")
    for number in range(20):
        (asked.work / str(number)).touch()
    found = deliveries.collect(asked, no_secrets, Pace(names=1), nobody)
    assert found.problem is not None and "more in it than can be looked through" in found.problem


def test_who_ends_the_pace_ends_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manager.folder.pace.AT_ONCE", 1)

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliveries.collect(promising(tmp_path, "**"), no_secrets, Pace(sleep=stop), nobody)


def test_of_an_attempt_that_an_older_manager_claimed_nothing_is_taken(tmp_path: Path) -> None:
    asked = promising(tmp_path, "*.csv")
    older = replace(asked, grant=asked.grant.model_copy(update={"result_kb": None, "outputs_mb": None}))
    assert deliveries.collect(older, no_secrets, USUAL, nobody) == NOTHING


def says(assignment: Assignment, text: str) -> None:
    (assignment.gate.inbox / "result/result.json").write_text(text)


@pytest.mark.parametrize(
    "text", [json.dumps({"url": f"x:{SECRET}@db"}), json.dumps([[{SECRET: 1}]]), r'"s3cret\u0022\u0076alue"']
)
def test_a_result_with_the_value_of_a_secret_is_not_taken(tmp_path: Path, text: str) -> None:
    asked = promising(tmp_path)
    says(asked, text)
    found = deliveries.collect(asked, one_secret, USUAL, nobody)
    assert found.result is None and found.problem is not None
    assert found.problem.startswith("its result has the value of a secret in it; results stand in tasks.json")
    with pytest.raises(BadInput, match="value of a secret"):
        deliveries.collect_result(asked, one_secret)


def test_a_problem_does_not_quote_a_secret(tmp_path: Path) -> None:
    asked = promising(tmp_path)
    says(asked, f"{{{json.dumps(SECRET)}: 1, {json.dumps(SECRET)}: 2}}")
    found = deliveries.collect(asked, one_secret, USUAL, nobody)
    assert found.problem == "it breaks a rule, and has the value of a secret in it"


def test_nor_does_the_name_of_an_output(tmp_path: Path) -> None:
    asked = promising(tmp_path, "*.txt")
    (asked.work / f"{SECRET}.txt").touch()
    found = deliveries.collect(asked, one_secret, USUAL, nobody)
    assert found.problem is not None and SECRET not in found.problem
    assert found.problem.startswith("outputs: the name of a file has the value of a secret in it; names")


def test_where_the_secrets_can_not_be_read_no_result_is_taken_but_none_is_none(tmp_path: Path) -> None:
    asked = promising(tmp_path)
    found = deliveries.collect(asked, unreadable, USUAL, nobody)
    assert found.result is None
    assert found.problem == "it may have the value of a secret in it: the secret 'db' can't be read"
    (asked.gate.inbox / "result/result.json").unlink()
    assert deliveries.collect(asked, unreadable, USUAL, nobody) == NOTHING
