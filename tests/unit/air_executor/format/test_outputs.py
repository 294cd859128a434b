"""Which files a pattern means."""

from functools import reduce
from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.models import TaskSpec
from air_executor.format.outputs import Pattern


def fits(pattern: str, path: str) -> bool:
    found = Pattern(pattern)
    return found.is_met(reduce(found.after, path.split("/"), found.start))


def goes_on(pattern: str, folder: str) -> bool:
    found = Pattern(pattern)
    return found.goes_on(reduce(found.after, folder.split("/"), found.start))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("model.bin", "model.bin"),
        ("report/*.csv", "report/a.csv"),
        ("report/*", "report/.hidden"),
        ("a?c/[xy]", "abc/y"),
        ("**/x", "x"),
        ("**/x", "a/b/x"),
        ("a/**/x", "a/x"),
        ("a/**", "a/b/c"),
        ("**/**/x", "a/x"),
        ("**", "a/b"),
        ("a\nb/*", "a\nb/c\nd"),
        ("[*]", "*"),
    ],
)
def test_it_means_these(pattern: str, path: str) -> None:
    assert fits(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.csv", "a/b.csv"),
        ("a/**", "a"),
        ("a/*/x", "a/x"),
        ("A", "a"),
        ("a/**/x", "a/x/y"),
        ("x", "x/x"),
    ],
)
def test_it_does_not_mean_these(pattern: str, path: str) -> None:
    assert not fits(pattern, path)


def test_only_folders_are_looked_into_that_something_may_fit_in() -> None:
    assert goes_on("report/*.csv", "report")
    assert not goes_on("report/*.csv", "node_modules")
    assert not goes_on("report/*.csv", "report/a.csv")
    assert goes_on("**/x", "any/where")


def test_no_pattern_takes_long_whatever_it_is_made_of() -> None:
    """A search that goes back and forth would take years for each of these."""
    assert not fits("/".join(["**"] * 60 + ["x"]), "/".join(["a"] * 60))
    assert not fits("*a" * 500, "a" * 255 + "b")


@pytest.mark.parametrize(
    "outputs",
    [
        "x",
        *([""], ["/etc/passwd"], ["a/../b"], ["./a"], ["a//b"], ["a/"], ["a\0"], ["\ud800"], [1]),
        *(["x"] * 101, ["x" * 1025], ["/".join("a" * 65)]),
    ],
)
def test_what_is_no_pattern_is_refused_where_it_is_written(outputs: Any) -> None:
    with pytest.raises(BadInput, match="outputs"):
        validate(TaskSpec, {"id": "a", "command": "x", "outputs": outputs})
