"""How jobs ask for secrets; what is refused is in `tests/attempts/test_43_secrets_of_others.py`."""

import json

import pytest

from air_executor.format.models import Task, TaskSpec
from air_executor.format.text import task_text


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        (["db", "a.b-c_d"], ["db", "a.b-c_d"]),
        ({"db": "/run/secrets/db"}, ["db"]),
        (
            {"db": "/run/secrets/x", "other": "/run/secrets/other"},
            {"db": "/run/secrets/x", "other": "/run/secrets/other"},
        ),
    ],
    ids=str,
)
def test_they_are_written_as_people_write_them(asked: object, written: object) -> None:
    task = Task(id="a", command="true", secrets=asked)  # type: ignore[arg-type]
    text = task_text(task)
    assert json.loads(text)["secrets"] == written
    assert Task.model_validate_json(text).secrets == task.secrets


def test_both_ways_of_asking_are_the_same() -> None:
    one = TaskSpec(id="a", command="true", secrets=["db"])  # type: ignore[arg-type]
    other = TaskSpec(id="a", command="true", secrets={"db": "/run/secrets/db"})
    assert one.is_asked_by(other)


def test_who_asks_for_none_is_written_as_before() -> None:
    assert "secret" not in task_text(Task(id="a", command="true"))
