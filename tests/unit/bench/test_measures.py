"""Which measures are run when names or rows are asked for."""

import pytest

from bench.measures import MEASURES, chosen


def test_each_of_the_twelve_rows_is_filled_by_one_measure() -> None:
    assert sorted(number for each in MEASURES.values() for number in each.numbers) == list(range(1, 13))


def test_rows_and_names_are_asked_for_alike_and_nothing_runs_twice() -> None:
    assert chosen(["11", "waits", "5", "1"]) == ["waits", "rates"]
    assert chosen([]) == list(MEASURES)


def test_what_is_no_measure_is_named() -> None:
    with pytest.raises(ValueError, match="'13'"):
        chosen(["1", "13"])
