"""What a command gets in the place of references to results."""

from pathlib import Path

import pytest

from air_executor.format.arguments import ResultOf, Unresolved
from air_executor.format.results import Result
from manager.model.assignment import Assignment
from tests.unit.manager.builders import HOME, container, granted, key, task


def an_assignment(*args: str | ResultOf, **results: str) -> Assignment:
    asked = task("b", "a", args=args)
    spec = container(asked, key("b"))
    found = {name: Result(text) for name, text in results.items()}
    work = Path("/work/job")
    return Assignment(
        key("b"), work, work, asked, granted(asked), spec, HOME.gate(spec.name), None, results=found
    )


def test_arguments_without_references_are_those_of_the_task() -> None:
    assignment = an_assignment("-n", "1")
    assert assignment.own_words == ("true", "-n", "1")


def test_references_get_what_is_there() -> None:
    assert an_assignment("-n", ResultOf(result="a"), a="42").own_words[1:] == ("-n", "42")


def test_a_result_that_no_kernel_takes_as_an_argument_is_refused_with_its_place() -> None:
    long = f'"{"x" * 131_072}"'
    with pytest.raises(Unresolved, match=r"args\[1\]: has 131072 bytes"):
        _ = an_assignment("-n", ResultOf(result="a"), a=long).own_words


def test_arguments_that_are_too_long_together_are_refused() -> None:
    long = f'"{"é" * 60_000}"'
    with pytest.raises(Unresolved, match="args"):
        _ = an_assignment(*[ResultOf(result="a")] * 20, a=long).own_words
