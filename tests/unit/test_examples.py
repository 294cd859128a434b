"""The examples that hypothesis draws for the other tests."""

import importlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import fewer


def drawn() -> list[int]:
    numbers: list[int] = []

    @given(st.integers())
    def draw(number: int) -> None:
        numbers.append(number)

    draw()
    return numbers


def test_are_the_same_each_time() -> None:
    assert drawn() == drawn()


def test_are_the_same_whatever_has_been_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which modules are imported by then depends on the tests that ran before in the same process."""
    before = drawn()
    (tmp_path / "full_of_numbers.py").write_text(f"NUMBERS = {list(range(10**6, 10**6 + 500))}")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("full_of_numbers")
    assert drawn() == before


def test_are_fewer_where_one_takes_long() -> None:
    assert fewer(60).max_examples == settings.default.max_examples * 6 / 10
    assert fewer(60).derandomize == settings.default.derandomize
