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


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("etl", "manual__2025-10-02T07:30:00+00:00", "load"), "etl~manual__2025-10-02T07:30:00+00:00~load"),
        (
            ("etl.sub", "scheduled__2025-10-02", "group.load", "0"),
            "etl.sub~scheduled__2025-10-02~group.load~0",
        ),
        (("etl", "backfill__x", "load_v1.0", "17"), "etl~backfill__x~load_v1.0~17"),
        (("Etl", "r", "step.1"), "Etl~r~step.1"),
        (("d" * 120, "r" * 80), f"{'d' * 120}~{'r' * 62}~6aabd7046ab84b23"),
        (("etl", "r", "抽取"), "etl~r~--~3cdb188ca8c22abf"),
        (("etl", "run 1", "load"), "etl~run-1~load~fb9c6cfe01598700"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_what_was_joined_before_an_upgrade_is_joined_so_after_it(parts: tuple[str, ...], name: str) -> None:
    assert names.joined(parts) == name


LONG = "d" * 100, "r" * 82, "t" * 40
THEIR_HASH = names.joined(LONG).rpartition("~")[2]
DIFFERENT = [
    *[("dag", task) for task in ("抽取", "加载", "--", "- ", " -", "é", "e\u0301", "E\u0301")],
    *[("dag", task) for task in ("load", "Load", "LOAD", "t.2", "t.2.2", "t.3", "t.10", "t.02")],
    *[("x", "抽取", "t"), ("x", "加载", "t"), ("x", "é", "t"), ("x", "e\u0301", "t")],
    *[("a.b", "r", "c"), ("a", "r", "b.c"), ("a~b", "r", "c"), ("a", "b~r", "c"), ("a", "b", "r~c")],
    *[("dag", "t"), ("dag", "t", "0"), ("dag", "t", "1"), ("dag", "t", "10"), ("dag", "t~0"), ("dag", "t.0")],
    *[("dag", "t~0", "0"), ("dag", "加", "0"), ("dag", "載", "0"), ("dag", "t.2", "0"), ("dag", "t", "0.2")],
    *[("d" * 250, "r" * 250, task) for task in ("one", "two", "一", "二", "one.2")],
    *[("D" * 250, "r" * 250, "one"), ("d" * 249, "r" * 250, "one"), ("d" * 250, "r" * 250, "one", "0")],
    *[LONG, (*LONG[:2], THEIR_HASH), (*LONG[:2], "t" * 41)],
]


def test_no_parts_share_a_name_with_others_nor_with_their_successors() -> None:
    assert len(f"{'~'.join(LONG[:2])}~{THEIR_HASH}") == names.MAX_LENGTH
    made = [names.successor(names.joined(parts), number) for parts in DIFFERENT for number in range(1, 12)]
    assert len(set(made)) == len(made)
    assert all(names.is_name(name) for name in made)


def test_what_was_replaced_leaves_the_rest_to_be_read() -> None:
    assert names.joined(("etl", "load data", "0")).startswith("etl~load-data~0~")
