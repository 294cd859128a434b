"""What a task may ask for, counted before it is looked at closer."""

import pytest

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.limits import (
    MAX_ARGUMENTS,
    MAX_STRING_BYTES,
    MAX_TASKS,
    MAX_VARIABLES,
    OWN,
    Bounds,
    at_most,
)
from air_executor.format.models import TaskSpec


def test_a_document_may_have_a_value_for_each_eight_bytes() -> None:
    assert Bounds(8 << 20).parts == 1 << 20
    assert OWN.parts == 8 << 20


def test_a_small_one_may_have_all_that_fit_into_it() -> None:
    assert Bounds(256 << 10).parts == 128 << 10


def test_entries_are_counted_and_letters_are_not() -> None:
    check = at_most(2, "things")
    assert check("abc") == "abc"
    assert check([1, 2]) == [1, 2]
    with pytest.raises(ValueError, match="has 3 things; at most 2 are allowed"):
        check([1, 2, 3])


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"args": [1] * (MAX_ARGUMENTS + 1)}, "args", "has 262145 arguments; at most 262144"),
        ({"dependencies": [1] * (MAX_TASKS + 1)}, "dependencies", "has 100001 dependencies"),
        ({"env": dict.fromkeys(map(str, range(MAX_VARIABLES + 1)), 1)}, "env", "has 10001 variables"),
        ({"retries": {"on": ["exit"] * 100}}, "retries.on", "has 100 causes"),
        ({"command": "x" * (MAX_STRING_BYTES + 1)}, "", "command: has 131072 bytes"),
        ({"args": ["", "ü" * 70_000]}, "", "args[1]: has 140000 bytes"),
        ({"env": {"A": "x" * MAX_STRING_BYTES}}, "", "env.A: has 131073 bytes"),
        ({"args": ["x" * 100_000] * 21}, "", "args: has 2100199 bytes with its command and variables"),
        ({"entrypoint": ["x" * 100_000] * 20, "args": ["x"] * 9}, "", "entrypoint: has 2000"),
        ({"env": {f"A.{n}": "x" * 100_000 for n in range(20)}}, "", "env: has 2000"),
        ({"network": "x" * 5000}, "", "network: is longer than 4096 characters"),
    ],
)
def test_each_bound_is_kept_and_named(change: dict[str, object], field: str, rule: str) -> None:
    with pytest.raises(BadInput) as caught:
        validate(TaskSpec, {"id": "a", "command": "x"} | change)
    assert caught.value.field == field
    assert caught.value.rule.startswith(rule)


def test_the_longest_argument_that_a_kernel_takes_is_taken() -> None:
    spec = validate(TaskSpec, {"id": "a", "command": "x", "args": ["x" * MAX_STRING_BYTES] * 14})
    assert len(spec.args) == 14
