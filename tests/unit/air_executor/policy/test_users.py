"""Who a task may run as: never root, never in a group of the machine's own that nobody has named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from air_executor.errors import BadInput
from air_executor.format.users import MAX_ID, UserRange
from air_executor.policy.users import check_user, user_of, usual_user
from manager.model.values import Owner
from manager.settings import FIRST_OF_PEOPLE, Settings
from tests.unit.manager.builders import settings, task

DOCKER = 105


def asks(user: str | None, owner: Owner, **rules: object) -> Owner:
    """Who the task runs as, where it may."""
    of, found = task("a", user=user), settings(task_uid=4321, **rules)
    check_user(of, owner, found)
    return user_of(of, owner, found)


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (Owner(1000, 1000), "1000:1000"),
        (Owner(1000, 2000), "1000:2000"),
        (Owner(50000, 50000), "50000:50000"),
        (Owner(1000, DOCKER), "1000:1000"),
        (Owner(1000, 0), "1000:1000"),
        (Owner(500, DOCKER), "500:4321"),
        (Owner(500, 500), "500:4321"),
        (Owner(0, 0), "4321:4321"),
        (Owner(0, 1000), "4321:4321"),
        (Owner(MAX_ID + 1, 1000), "4321:4321"),
        (Owner(1000, MAX_ID + 1), "1000:1000"),
    ],
)
def test_tasks_run_as_the_owner_of_the_folder_without_the_machines_own_groups(
    owner: Owner, expected: str
) -> None:
    assert str(asks(None, owner)) == expected


def test_a_group_of_the_machines_that_the_operator_names_counts() -> None:
    assert str(asks(None, Owner(1000, 100), groups=(100,))) == "1000:100"


@pytest.mark.parametrize(
    ("user", "owner", "users", "expected"),
    [
        ("1000", Owner(1000, 1000), (), "1000:1000"),
        ("1000:1000", Owner(1000, 1000), (), "1000:1000"),
        ("1000", Owner(1000, 2000), (), "1000:2000"),
        ("1000:1000", Owner(1000, DOCKER), (), "1000:1000"),
        ("4321", Owner(0, 0), (), "4321:4321"),
        ("7", Owner(1000, 1000), ("7",), "7:7"),
        ("7:8", Owner(1000, 1000), ("7:8",), "7:8"),
        ("20500", Owner(1000, 1000), ("20000-29999",), "20500:20500"),
        ("20500:20500", Owner(1000, 1000), ("20000-29999",), "20500:20500"),
    ],
)
def test_a_task_may_ask_for_the_owner_and_for_whom_the_operator_lists(
    user: str, owner: Owner, users: tuple[str, ...], expected: str
) -> None:
    assert str(asks(user, owner, users=users)) == expected


@pytest.mark.parametrize(
    ("user", "users"),
    [
        ("23456", ()),
        ("1000:105", ()),
        ("1000:105", ("1000",)),
        ("1000:0", ("1000",)),
        ("20500:20501", ("20000-29999",)),
        ("30000", ("20000-29999",)),
        ("7", ("7:8",)),
        ("9999999999", ("1-2147483647",)),
        ("2147483648", ("1-2147483647",)),
    ],
)
def test_anybody_else_is_refused_and_the_setting_named(user: str, users: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match=r"tasks\[3\]\.user: '.*' is not allowed here.*setting `users`"):
        check_user(task("a", user=user), Owner(1000, 1000), settings(users=users), "tasks[3].")


IDS = st.one_of(st.integers(0, 2**32 - 1), st.integers(0, 2000))
ASKED = st.one_of(
    st.none(),
    st.builds(str, st.integers(1, 9_999_999_999)),
    st.builds("{}:{}".format, st.integers(1, 9_999_999_999), IDS),
)
ENTRIES = st.lists(
    st.one_of(
        st.builds(str, st.integers(1, MAX_ID)),
        st.builds("{}:{}".format, st.integers(1, 2000), st.integers(1, MAX_ID)),
        st.builds(lambda first, more: f"{first}-{first + more}", st.integers(1, 2000), st.integers(0, 2000)),
    ),
    max_size=4,
).map(tuple)


@given(asked=ASKED, owner=st.builds(Owner, IDS, IDS), users=ENTRIES, groups=st.lists(st.integers(1, 999)))
def test_whatever_is_asked_no_task_is_root_or_in_a_group_that_nobody_named(
    asked: str | None, owner: Owner, users: tuple[str, ...], groups: list[int]
) -> None:
    rules: Settings = settings(task_uid=4321, users=users, groups=tuple(groups))
    found = user_of(task("a", user=asked), owner, rules)
    assert 1 <= found.uid <= MAX_ID and 1 <= found.gid <= MAX_ID
    listed = any(UserRange.parse(entry).allows(*found) for entry in users)
    assert listed or found == usual_user(owner, rules)
    assert listed or found.gid >= FIRST_OF_PEOPLE or found.gid in groups
