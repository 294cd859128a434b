"""What sentences quote of strangers' values."""

import pytest

from air_executor.errors import BadInput, cut, plain, quoted


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("echo", "'echo'"),
        ("x" * 81, f"'{'x' * 80}'…"),
        ("a\nb\x1b\u202e", r"'a\nb\x1b\u202e'"),
        (10**100, f"1{'0' * 78}…"),
        (["x" * 100], f"['{'x' * 77}…"),
    ],
)
def test_a_value_is_quoted_by_its_beginning_and_steers_nothing(value: object, shown: str) -> None:
    assert quoted(value) == shown


def test_a_number_that_python_will_not_write_is_quoted_by_its_kind() -> None:
    assert quoted(10**5000) == "int"


def test_a_sentence_is_one_line_and_its_letters_stay() -> None:
    assert plain("für 中文 🎉") == "für 中文 🎉"
    assert plain("a\nb\u200f") == r"a\nb\u200f"
    assert cut("abcdef", 4) == "abc…"


def test_no_complaint_is_endless() -> None:
    assert len(BadInput("x" * 10_000).rule) == 500
