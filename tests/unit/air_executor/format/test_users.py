"""Users by number: what may be written, and which a range allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from air_executor.format.users import MAX_ID, UserRange, parse_user


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", (1, 1)), ("1000:50", (1000, 50)), (f"{MAX_ID}:{MAX_ID}", (MAX_ID, MAX_ID)), ("007", (7, 7))],
)
def test_a_user_has_the_group_that_is_named_or_that_of_its_number(
    text: str, expected: tuple[int, int]
) -> None:
    assert parse_user(text) == expected


WRONG = [
    "",
    "0",
    "root",
    "-1",
    "1:",
    ":1",
    "1:0",
    "1000:1000:1000",
    "2147483648",
    "1:2147483648",
    "1\n",
    "１",
]


@pytest.mark.parametrize("text", [*WRONG, "1-2", "9999999999", "4294967295", "4294967296"])
def test_any_other_text_is_no_user_and_the_rule_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="from 1 to 2147483647, such as 1000"):
        parse_user(text)


@pytest.mark.parametrize("text", [*WRONG, "2-1", "0-5", "1-2147483648", "1-2:3", "1-"])
def test_any_other_text_is_no_entry_and_the_rule_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="must be 1000, 1000:1000 or 20000-29999"):
        UserRange.parse(text)


@given(first=st.integers(1, MAX_ID), more=st.integers(0, 1000), uid=st.integers(0, MAX_ID))
def test_a_range_allows_its_users_in_their_own_groups(first: int, more: int, uid: int) -> None:
    last = min(MAX_ID, first + more)
    found = UserRange.parse(f"{first}-{last}")
    assert found.allows(uid, uid) == (first <= uid <= last)
    assert found.allows(first, first) and found.allows(last, last)
    assert not found.allows(first, first + 1)
    assert found.size == last - first + 1


def test_an_entry_with_a_group_allows_that_one_alone() -> None:
    found = UserRange.parse("1000:50")
    assert found.allows(1000, 50)
    assert not found.allows(1000, 1000)
