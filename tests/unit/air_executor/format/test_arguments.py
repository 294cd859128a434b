"""Arguments that name results: how they are written, and what the command gets."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from air_executor.errors import BadInput
from air_executor.format import arguments
from air_executor.format.arguments import ResultOf, Unresolved, resolved
from air_executor.format.documents import validate
from air_executor.format.graph import check_graph
from air_executor.format.models import TaskSpec
from air_executor.format.results import Result

RESULT = Result.of(
    {"rows": 42, "names": ["a", "b c"], "a.b": {"": 1}, "on": True, "no": None, "half": 0.5, "0": "zero"}
)


def given_to(*args: Any) -> tuple[str, ...]:
    spec = validate(TaskSpec, {"id": "b", "command": "x", "args": list(args), "dependencies": ["fetch"]})
    return resolved(spec.args, {"fetch": RESULT})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("rows", "42"),
        ("names.1", "b c"),
        (["names", 1], "b c"),
        (["a.b", ""], "1"),
        ("on", "true"),
        ("no", "null"),
        ("half", "0.5"),
        ("names", '["a","b c"]'),
        ("0", "zero"),
        ([], RESULT.text),
    ],
)
def test_a_reference_is_the_value_that_is_there(path: Any, text: str) -> None:
    assert given_to("--rows", {"result": "fetch", "path": path}) == ("--rows", text)


def test_without_a_path_it_is_the_whole_result() -> None:
    assert given_to({"result": "fetch"}) == (RESULT.text,)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_string_is_passed_as_it_is_and_means_nothing(text: str) -> None:
    assert resolved((ResultOf(result="a"),), {"a": Result.of(text)}) == (text,)


def test_all_that_lead_nowhere_are_named_at_once() -> None:
    with pytest.raises(Unresolved) as caught:
        given_to(
            {"result": "fetch", "path": "names.7"},
            {"result": "fetch", "path": "rows.x"},
            {"result": "fetch", "path": "nothing"},
        )
    assert str(caught.value) == (
        "args[0]: the result of task 'fetch' has no '7' at 'names', where it is a list of 2; "
        "args[1]: the result of task 'fetch' has no 'x' at 'rows', where it is 42; "
        "args[2]: the result of task 'fetch' has no 'nothing', where it is an object"
    )


@pytest.mark.parametrize("step", [-1, True, 1.5, 10**30, "\ud800", None, [], "x" * 5000])
def test_what_is_no_step_is_refused_where_it_is_written(step: Any) -> None:
    with pytest.raises(BadInput, match=r"args\[0\]"):
        given_to({"result": "fetch", "path": [step]})


@pytest.mark.parametrize("path", ["", "a..b", ".", 1, {}, ["x"] * 65, "x." * 65])
def test_what_is_no_path_is_refused_where_it_is_written(path: Any) -> None:
    with pytest.raises(BadInput, match=r"args\[0\]"):
        given_to({"result": "fetch", "path": path})


@pytest.mark.parametrize(
    "argument", [1, None, True, ["a"], {}, {"result": "a b"}, {"result": "a", "pth": "b"}]
)
def test_what_is_no_argument_is_refused_where_it_is_written(argument: Any) -> None:
    with pytest.raises(BadInput, match=r"args\[0\]"):
        given_to(argument)


def test_a_misspelt_key_is_named() -> None:
    with pytest.raises(BadInput, match="pth: is not a known field"):
        given_to({"result": "a", "pth": "b"})


def test_a_nul_character_reaches_no_command() -> None:
    with pytest.raises(Unresolved, match="NUL"):
        resolved((ResultOf(result="a"),), {"a": Result.of("x\0y")})


def test_only_results_of_dependencies_may_be_named() -> None:
    a, b = {"id": "a", "command": "x"}, {"id": "b", "command": "x", "args": ["-n", {"result": "a"}]}
    with pytest.raises(
        BadInput, match=r"tasks\[1\].args\[1\].result: 'a' is none of the task's dependencies"
    ):
        check_graph([validate(TaskSpec, a), validate(TaskSpec, b)])
    check_graph([validate(TaskSpec, a), validate(TaskSpec, b | {"dependencies": ["a"]})])


def test_a_spec_with_references_is_the_same_when_it_is_read_again() -> None:
    args = ["-n", {"result": "a", "path": ["x", 0]}, {"result": "a"}]
    spec = validate(TaskSpec, {"id": "b", "command": "x", "args": args})
    again = TaskSpec.model_validate_json(spec.model_dump_json())
    assert again == spec and spec.is_asked_by(again)
    assert arguments.shown(spec.args) == ("-n", '{"result": "a", "path": ["x", 0]}', '{"result": "a"}')


def test_many_references_to_a_large_result_are_given_up_soon() -> None:
    """Where each is as large as a command may be in all, no more than that is put together."""
    large = Result.of(["x" * 100_000])
    with pytest.raises(Unresolved, match="characters together"):
        resolved((ResultOf(result="a", path="0"),) * 200_000, {"a": large})
    with pytest.raises(Unresolved, match="and more"):
        resolved((ResultOf(result="a", path="1"),) * 200_000, {"a": large})
