"""Figures, goals, and what is said where too little was measured."""

import json

import pytest

from bench.figures import Goal, Row, Sample, faster_row, markdown_table, median_row, p99_row, ratio_row

MANY = Sample(tuple(float(value) for value in range(1, 201)), "ms")
NOTHING = Sample((), "ms")


def test_the_p99_is_not_exceeded_by_99_percent_of_the_values() -> None:
    assert MANY.p99 == 198
    assert Sample((3.0, 1.0, 2.0)).p99 == 3


@pytest.mark.parametrize(
    ("relation", "limit", "met"), [("≤", 2, True), ("<", 2, False), ("≥", 2, True), ("≤", 1.9, False)]
)
def test_a_goal_is_met_or_missed_by_the_median(relation, limit, met) -> None:
    assert median_row("two", Sample((1.0, 2.0, 9.0)), Goal(relation, limit)).met is met


def test_of_too_few_values_the_figure_is_shown_and_the_goal_not_judged() -> None:
    row = p99_row("few", Sample((1.0, 2.0), "ms"), Goal("≤", 5), least=3)
    assert row.met is None
    assert row.cells[-2:] == ("2 ms", "≤ 5 ms not measured")


@pytest.mark.parametrize(
    "row",
    [
        median_row("nothing", NOTHING, Goal("≤", 5)),
        p99_row("nothing", NOTHING, Goal("≤", 5)),
        ratio_row("nothing", NOTHING, "many", MANY, Goal("≤", 5)),
        faster_row("many", MANY, "nothing", NOTHING, Goal("≥", 5)),
    ],
    ids=["median", "p99", "ratio", "faster"],
)
def test_what_was_not_measured_is_neither_met_nor_missed(row: Row) -> None:
    assert row.met is None
    assert "not measured" in row.cells[-1]
    assert json.loads(json.dumps(row.document()))["value"] is None


def test_a_rival_that_takes_forty_times_as_long_is_that_much_slower() -> None:
    row = faster_row("ours", Sample((2.0,), "ms"), "rival", Sample((80.0,), "ms"), Goal("≥", 40)).numbered(1)
    assert row.met
    assert markdown_table([row]).splitlines()[-1] == "| 1 | ours | 2 ms | rival: 80 ms | 40 × | ≥ 40 × ✅ |"
