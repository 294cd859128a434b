"""What a task may leave as its result, and how that stands in the records."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from air_executor.errors import BadInput
from air_executor.format.documents import parse_json
from air_executor.format.models import Task
from air_executor.format.results import MAX_RESULT_DEPTH, OutputFile, Result, read_result
from air_executor.format.text import task_text, tasks_text

MOST = 1 << 18

a_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def journaled(task: Task) -> Task:
    return Task.model_validate(json.loads(task.model_dump_json(exclude_none=True, exclude_defaults=True)))


@given(a_value)
def test_any_value_is_the_same_in_the_view_and_in_the_journal(value: Any) -> None:
    task = Task(id="a", command="x", result=Result.of(value))
    view = parse_json(tasks_text([task_text(task)]).encode())
    assert Task.model_validate(view[0]).result == task.result
    assert journaled(task).result == task.result
    assert task.result is not None and task.result.value == value


def test_null_is_a_result_and_none_is_none() -> None:
    null, none = Task(id="a", command="x", result=Result("null")), Task(id="a", command="x")
    assert journaled(null).result == Result("null")
    assert journaled(none).result is None
    assert '"result"' not in task_text(none)
    assert json.loads(task_text(null))["result"] is None


def test_a_task_without_result_is_written_as_before() -> None:
    assert not {"result", "produced", "outputs"} & json.loads(task_text(Task(id="a", command="x"))).keys()


def test_it_takes_one_line_of_the_view_however_deep_it_is() -> None:
    deep: Any = 1
    for _ in range(MAX_RESULT_DEPTH - 2):
        deep = [deep]
    task = Task(id="a", command="x", result=Result.of([deep] * 100))
    assert len(task_text(task)) < 100 * 2 * MAX_RESULT_DEPTH + 1000


def test_the_deepest_that_is_taken_can_be_read_again_with_the_view() -> None:
    text = "[" * (MAX_RESULT_DEPTH - 1) + "1" + "]" * (MAX_RESULT_DEPTH - 1)
    task = Task(id="a", command="x", result=read_result(text.encode(), MOST))
    assert Task.model_validate(parse_json(tasks_text([task_text(task)]).encode())[0]).result == task.result


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"1 2", "is not JSON"),
        (b"\xff", "is not UTF-8"),
        (b"NaN", "has NaN"),
        (b"[1e999]", "too large for a number"),
        (b'{"a":1,"a":2}', "twice"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b"[" * 30_000, "nested too deeply"),
        (b"[" * 70 + b"]" * 70, "levels deep"),
        (b"9" * 5000, "too many digits"),
        (b"[" + b"1," * 100_000 + b"1]", "values"),
        (b"[" + b",".join([b"9e15"] * 30_000) + b"]", "with its numbers written out"),
        (b'"' + b"x" * MOST + b'"', "is larger than"),
    ],
)
def test_what_is_no_result_is_refused_with_the_rule(written: bytes, rule: str) -> None:
    with pytest.raises(BadInput, match=rule):
        read_result(written, MOST)


def test_a_view_can_not_bring_what_no_task_may_leave() -> None:
    with pytest.raises(ValueError, match="more than 1048576 bytes"):
        Task(id="a", command="x", result="x" * (1 << 20))  # type: ignore[arg-type]


@pytest.mark.parametrize("sha256", ["", "x" * 64, "0" * 65, "0" * 63 + "\n"])
def test_a_view_can_not_bring_what_is_no_hash(sha256: str) -> None:
    with pytest.raises(ValueError, match="sha256"):
        OutputFile(path="a", size=1, sha256=sha256)


def test_what_it_takes_is_counted_with_the_list_of_its_files() -> None:
    file = OutputFile(path="a.csv", size=3, sha256="0" * 64)
    task = Task(id="a", command="x", result=Result.of("é"), produced=(file, file))
    assert task.handed_over == 4 + 2 * 205
