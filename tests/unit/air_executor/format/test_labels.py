"""Labels are few, short and plain."""

from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.models import JobSpec, TaskSpec


def labelled(labels: Any) -> TaskSpec:
    return validate(TaskSpec, {"id": "a", "command": "true", "labels": labels}, "tasks[0]")


@pytest.mark.parametrize(
    "labels", [{}, {"team": "data"}, {"a/b.c-d_e": "1"}, {"x": ""}, {"k" * 63: "v" * 63}]
)
def test_what_may_be_one(labels: dict[str, str]) -> None:
    assert labelled(labels).labels == labels


@pytest.mark.parametrize(
    "labels",
    [
        {"": "x"},
        {"-a": "x"},
        {"a.": "x"},
        {"a b": "x"},
        {"a": "x y"},
        {"a": "x\n"},
        {"a\n": "x"},
        {"a": "\x1b[31m"},
        {"é": "x"},
        {"k" * 64: "x"},
        {"a": "v" * 64},
        {"a": 1},
        {"a": None},
        ["a"],
        {f"k{number}": "" for number in range(65)},
        dict.fromkeys((str(number) for number in range(10_000)), "x"),
    ],
    ids=lambda labels: str(labels)[:20],
)
def test_what_may_not(labels: Any) -> None:
    with pytest.raises(BadInput, match=r"^tasks\[0\]\.labels") as refused:
        labelled(labels)
    assert len(str(refused.value)) < 400
    with pytest.raises(BadInput, match=r"^job\.labels"):
        validate(JobSpec, {"name": "job", "labels": labels}, "job")
