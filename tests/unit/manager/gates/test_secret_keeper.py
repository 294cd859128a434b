"""What an attempt is handed of its secrets, and what its log is not to show."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manager.folder.secret_values import SecretUnreadable
from manager.gates.secret_keeper import MOST_OF_A_TASK, SecretKeeper
from manager.model.assignment import Assignment
from manager.settings import Secret
from tests.unit.manager.gates.test_gatekeeper import an_assignment


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    return an_assignment(tmp_path)


def asks(assignment: Assignment, **asked: Any) -> Assignment:
    """It asks for these, and was granted them."""
    return replace(
        assignment,
        task=assignment.task.model_copy(update=asked),
        grant=assignment.grant.model_copy(update=asked),
    )


def keeper(tmp_path: Path, content: bytes, **declared: Any) -> SecretKeeper:
    (tmp_path / "db").write_bytes(content)
    return SecretKeeper({"db": Secret(file=tmp_path / "db", **declared)})


def test_a_file_has_the_value_as_it_stands_and_a_variable_its_line(
    assignment: Assignment, tmp_path: Path
) -> None:
    asked = asks(assignment, secrets={"db": "/run/secrets/x"}, secret_env={"A": "db"})
    handed = keeper(tmp_path, b"value \n\n").hand_out(asked)
    assert [(each.place, each.content) for each in handed.files] == [("/run/secrets/x", b"value \n\n")]
    assert handed.variables == {"A": "value "}
    assert "value" not in repr(handed)


def test_bytes_that_no_variable_can_have_are_refused_there(assignment: Assignment, tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable, match=r"NUL byte.*as a file, by `secrets`"):
        keeper(tmp_path, b"a\0b").hand_out(asks(assignment, secret_env={"A": "db"}))


def test_all_of_one_task_are_bounded(assignment: Assignment, tmp_path: Path) -> None:
    declared = {}
    for number in range(9):
        (tmp_path / f"s{number}").write_bytes(b"x" * (MOST_OF_A_TASK // 8))
        declared[f"s{number}"] = Secret(file=tmp_path / f"s{number}")
    asked = asks(assignment, secrets={name: f"/run/secrets/{name}" for name in declared})
    with pytest.raises(SecretUnreadable, match=f"{MOST_OF_A_TASK} are the most for one task"):
        SecretKeeper(declared).hand_out(asked)


@pytest.mark.parametrize(
    "asked", [{"secrets": {"db": "/run/secrets/db"}}, {"secret_env": {"A": "db"}}], ids=str
)
def test_what_a_task_asks_for_and_was_not_granted_it_does_not_begin_without(
    assignment: Assignment, tmp_path: Path, asked: dict[str, Any]
) -> None:
    task = assignment.task.model_copy(update=asked)
    with pytest.raises(SecretUnreadable, match="'db' is not for this job any more"):
        keeper(tmp_path, b"value").hand_out(replace(assignment, task=task))


def test_a_log_is_masked_by_what_was_handed_out_also_when_that_has_changed_since(
    assignment: Assignment, tmp_path: Path
) -> None:
    asked, kept = asks(assignment, secrets={"db": "/run/secrets/db"}), keeper(tmp_path, b"before")
    kept.hand_out(asked)
    (tmp_path / "db").write_bytes(b"after")
    assert kept.to_mask(asked) == (b"before",)
    kept.forget(asked.key)
    assert kept.to_mask(asked) == (b"after",), "as for a manager that has come back"


def test_nothing_is_read_for_logs_that_are_not_masked(assignment: Assignment, tmp_path: Path) -> None:
    kept = keeper(tmp_path, b"value", mask=False)
    (tmp_path / "db").unlink()
    assert kept.to_mask(asks(assignment, secrets={"db": "/run/secrets/db"})) == ()
    assert kept.to_mask(assignment) == ()


def test_of_one_that_is_not_declared_any_more_nothing_is_shown(assignment: Assignment) -> None:
    with pytest.raises(SecretUnreadable):
        SecretKeeper({}).to_mask(asks(assignment, secrets={"db": "/run/secrets/db"}))
