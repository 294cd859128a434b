import pytest

from air_executor.errors import BadInput
from air_executor.format import names

LONGEST = "x" * 200


@pytest.mark.parametrize(
    "name",
    ["a", "7", "greet", "airflow-manual__2025-10-02T07:30:00+00:00", "a.b:c+d@e=f~g-h_i", LONGEST],
)
def test_a_good_name_is_returned_as_it_stands(name: str) -> None:
    assert names.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../x",
        "/",
        "a/b",
        "a\0b",
        ".hidden",
        "-rf",
        "_private",
        "a b",
        "a\n",
        "a\\b",
        "a%b",
        LONGEST + "x",
        "x" * 300,
        "а",  # Cyrillic, looks like a Latin a
        "ａ",  # full width
        "é",
        "e\u0301",  # the same letter in two characters
        "①",
        "٣",  # a digit, but not of ASCII
        "\ud800",
    ],
)
def test_a_bad_name_is_refused_with_the_rule_and_the_field(name: str) -> None:
    with pytest.raises(BadInput) as refused:
        names.check_name(name, "job.name")
    assert refused.value.field == "job.name"
    assert names.RULE in str(refused.value)


def test_a_refused_name_is_shown_shortened_and_without_control_characters() -> None:
    with pytest.raises(BadInput) as refused:
        names.check_name("\x1b[2J" + "x" * 5000)
    assert len(str(refused.value)) < 400
    assert "\x1b" not in str(refused.value)


def test_the_first_job_of_a_request_has_the_plain_name_and_later_ones_a_number() -> None:
    assert names.successor("demo", 1) == "demo"
    assert names.successor("demo", 2) == "demo.2"
    assert names.successor("demo", 13) == "demo.13"


def test_successors_of_the_longest_name_are_valid_and_all_different() -> None:
    made = {names.successor(LONGEST, number) for number in range(1, 50)}
    assert len(made) == 49
    assert all(names.is_name(name) for name in made)


def test_shortening_keeps_short_names_and_makes_long_ones_valid() -> None:
    assert names.shorten(LONGEST) == LONGEST
    assert names.is_name(names.shorten(LONGEST + "x"))
    assert names.shorten(LONGEST + "x") != names.shorten(LONGEST + "y")


def test_what_may_not_be_in_a_name_is_replaced() -> None:
    assert names.fitting("my dag/ü\0") == "my-dag---"
    assert names.fitting(LONGEST) == LONGEST
