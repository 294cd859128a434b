import time

import pytest

from air_executor.errors import BadInput
from air_executor.format.documents import Unfinished, parse_json, validate
from air_executor.format.limits import MAX_BYTES
from air_executor.format.models import Task, TaskSpec


def complaint(data: bytes) -> str:
    with pytest.raises(BadInput) as refused:
        parse_json(data)
    return str(refused.value)


def field_complaint(task: object) -> BadInput:
    with pytest.raises(BadInput) as refused:
        validate(TaskSpec, task, "tasks[1]")
    return refused.value


def test_good_json_is_read() -> None:
    assert parse_json(b'{"a": [1, 2.5, "x", null, true]}') == {"a": [1, 2.5, "x", None, True]}


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse_json(b"\xef\xbb\xbf[]") == []


@pytest.mark.parametrize("data", [b"", b"  ", b'{"a": 1', b"\0" * 100, b'{"a": 1}}', b"{'a': 1}", b"[1,]"])
def test_what_is_not_json_may_still_be_written(data: bytes) -> None:
    with pytest.raises(Unfinished):
        parse_json(data)


def test_the_place_of_a_mistake_is_named() -> None:
    assert "line 2, column 4" in complaint(b'{"a": 1,\n   oops}')


def test_bytes_that_are_not_utf8_are_named_with_their_position() -> None:
    assert "byte 3 is 0xff" in complaint(b'"ab\xff"')


def test_a_key_twice_is_refused_and_named() -> None:
    assert "'name' twice" in complaint(b'[{"name": "a", "x": 1, "name": "b"}]')


def test_a_key_twice_among_very_many_is_found_quickly() -> None:
    keys = ",".join(f'"{number}": 1' for number in range(50_000))
    begun = time.thread_time()
    assert "'49999' twice" in complaint(f'{{{keys}, "49999": 2}}'.encode())
    assert time.thread_time() - begun < 5  # looking up each among all takes minutes


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_what_is_no_finite_number_is_refused(number: str) -> None:
    assert number in complaint(f'{{"timeout": {number}}}'.encode())


def test_a_number_with_too_many_digits_is_refused() -> None:
    assert "digits" in complaint(b"9" * 10_000)


@pytest.mark.parametrize("data", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000])
def test_deep_nesting_is_refused(data: bytes) -> None:
    assert "nested too deeply" in complaint(data)


def test_a_huge_document_is_refused_before_it_is_parsed() -> None:
    assert f"larger than {MAX_BYTES} bytes" in complaint(b" " * (MAX_BYTES + 1))


def test_half_of_a_surrogate_pair_is_refused_because_it_could_never_be_written_again() -> None:
    assert "surrogate" in complaint(rb'{"note": "\ud83d"}')
    assert parse_json(rb'"\ud83d\ude00"') == "😀"
    assert parse_json(rb'"\\ud83d"') == r"\ud83d"


def test_a_wrong_type_is_named_with_its_place_and_what_would_be_right() -> None:
    error = field_complaint({"id": "a", "command": "echo", "args": ["x", 5]})
    assert error.field == "tasks[1].args[1]"
    assert error.rule == 'must be a string, not the number 5; write "5"'


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"args": "x"}, "tasks[1].args", "must be a list, not a string"),
        ({"args": None}, "tasks[1].args", "must be a list, not null"),
        ({"command": ""}, "tasks[1].command", "must not be empty"),
        ({"command": "a\0b"}, "tasks[1].command", "NUL"),
        ({"command": ["echo"]}, "tasks[1].command", "must be a string, not a list"),
        ({"id": "../x"}, "tasks[1].id", "must be 1 to 200 of the letters"),
        ({"dependencies": ["a/b"]}, "tasks[1].dependencies[0]", "must be 1 to 200 of the letters"),
        ({"depends": []}, "tasks[1].depends", "not a known field"),
        ({"status": "completed"}, "tasks[1].status", "not a known field"),
        ({"env": {"A": 1}}, "tasks[1].env.A", 'write "1"'),
        ({"env": ["A"]}, "tasks[1].env", "must be an object, not a list"),
        ({"env": {"A=B": "1"}}, "tasks[1]", "'A=B' is not a name"),
        ({"timeout": "5"}, "tasks[1].timeout", "must be a number"),
        ({"timeout": True}, "tasks[1].timeout", "must be a number"),
        ({"timeout": 0}, "tasks[1].timeout", "greater than 0"),
        ({"timeout": float("inf")}, "tasks[1].timeout", "finite"),
        ({"retries": True}, "tasks[1].retries", "a number of further attempts"),
        ({"retries": 1.0}, "tasks[1].retries", "a number of further attempts"),
        ({"retries": -1}, "tasks[1].retries.max", "greater than or equal to 0"),
        (
            {"retries": {"on": ["cancelled"]}},
            "tasks[1].retries.on[0]",
            "'cancelled' is cured by no further attempt; use exit, signal,",
        ),
        (
            {"retries": {"on": ["bad luck"]}},
            "tasks[1].retries.on[0]",
            "'bad luck' is no cause of a failure; use",
        ),
        ({"retries": {"backof": 1}}, "tasks[1].retries.backof", "not a known field"),
        ({"retries": {"memory_factor": 0.5}}, "tasks[1].retries.memory_factor", "greater than or equal to 1"),
        ({"resources": {"memory_mb": "64"}}, "tasks[1].resources.memory_mb", "whole number"),
        ({"resources": {"cpus": True}}, "tasks[1].resources.cpus", "number"),
        ({"resources": {"disk": 5}}, "tasks[1].resources.disk", "not a known field"),
        ({"user": "root"}, "tasks[1].user", "numeric user id"),
        ({"user": "0"}, "tasks[1].user", "from 1 to 2147483647"),
        ({"user": "9999999999"}, "tasks[1].user", "from 1 to 2147483647"),
        ({"user": "1000:0"}, "tasks[1].user", "from 1 to 2147483647"),
        ({"user": "1000\n"}, "tasks[1].user", "numeric user id"),
        ({"user": 1000}, "tasks[1].user", 'write "1000"'),
    ],
)
def test_each_rule_is_kept_and_named(change: dict[str, object], field: str, rule: str) -> None:
    error = field_complaint({"id": "a", "command": "echo", **change})
    assert error.field == field
    assert rule in error.rule


def test_a_missing_field_is_named() -> None:
    error = field_complaint({"id": "a"})
    assert (error.field, error.rule[:10]) == ("tasks[1].command", "is missing")
    assert field_complaint({"command": "x"}).rule == "is missing"


def test_further_mistakes_are_counted() -> None:
    assert "(and 2 more)" in field_complaint({"id": 5, "command": 6, "args": 7}).rule


@pytest.mark.parametrize(
    ("value", "kind"), [([], "a list"), ("x", "a string"), (None, "null"), (True, "true")]
)
def test_something_else_than_an_object_is_refused(value: object, kind: str) -> None:
    assert field_complaint(value).rule == f"must be an object, not {kind}"


def test_keys_that_begin_with_an_underscore_are_comments() -> None:
    spec = validate(TaskSpec, {"id": "a", "command": "echo", "_why": 1, "resources": {"_why": 1, "pids": 5}})
    assert spec.resources.pids == 5
    assert "_why" not in spec.model_dump_json()


def test_a_time_that_has_no_utc_is_refused_and_not_an_overflow() -> None:
    with pytest.raises(BadInput, match=r"created_at: .*between the years"):
        validate(Task, {"id": "a", "command": "b", "created_at": "9999-12-31T23:59:59-23:00"})


def test_a_complaint_can_be_placed_in_a_file() -> None:
    error = BadInput("must be a list", field="tasks").at("job.json")
    assert str(error) == "job.json: tasks: must be a list"
