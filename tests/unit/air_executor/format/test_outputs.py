"""Which files a pattern means."""

from fnmatch import fnmatchcase
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.models import TaskSpec
from air_executor.format.outputs import Pattern


def fits(pattern: str, path: str) -> bool:
    found = Pattern(pattern)
    *folder, name = path.split("/")
    return found.ends(reduce(found.after, folder, found.start), name)


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


def test_a_path_is_at_few_places_of_a_pattern_with_many_folders() -> None:
    found = Pattern("/".join(["**"] * 60 + ["x"]))
    assert len(reduce(found.after, ["a"] * 60, found.start)) == 2


PARTS = st.lists(st.sampled_from(["**", "*", "a", "b", "?b"]), min_size=1, max_size=6)
NAMES = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=6)


@given(parts=PARTS, names=NAMES)
def test_it_means_what_one_that_goes_back_and_forth_finds(parts: list[str], names: list[str]) -> None:
    assert fits("/".join(parts), "/".join(names)) == slowly(parts, names)


def slowly(parts: list[str], names: list[str]) -> bool:
    if not parts or not names:
        return not parts and not names
    if parts[0] == "**":
        none_at_all = len(parts) > 1 and slowly(parts[1:], names)
        return none_at_all or slowly(parts, names[1:]) or slowly(parts[1:], names[1:])
    return fnmatchcase(names[0], parts[0]) and slowly(parts[1:], names[1:])


@pytest.mark.parametrize(
    "outputs",
    [
        "x",
        *([""], ["/etc/passwd"], ["a/../b"], ["./a"], ["a//b"], ["a/"], ["a\0"], ["\ud800"], [1]),
        *(["x"] * 101, ["x" * 1025], ["/".join("a" * 65)], ["a/" + "*x" * 17]),
    ],
)
def test_what_is_no_pattern_is_refused_where_it_is_written(outputs: Any) -> None:
    with pytest.raises(BadInput, match="outputs"):
        validate(TaskSpec, {"id": "a", "command": "x", "outputs": outputs})
