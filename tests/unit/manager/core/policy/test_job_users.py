"""A user of its own for each job, from a range."""

from hypothesis import given
from hypothesis import strategies as st

from manager.core.policy import JobUsers
from manager.model.values import Owner

A, B, C, D = (letter * 32 for letter in "abcd")


def test_where_no_range_is_set_no_job_has_one_and_none_waits() -> None:
    users = JobUsers("")
    assert users.user_for(A) is None
    assert not users.is_short(A)


def test_a_job_keeps_its_user() -> None:
    users = JobUsers("5000-5999")
    assert users.user_for(A) == users.user_for(A)


def test_who_finds_the_range_taken_waits_until_a_job_is_over() -> None:
    users = JobUsers("5000-5001")
    first, _ = users.user_for(A), users.user_for(B)
    assert users.is_short(C) and not users.is_short(A)
    users.release(A)
    assert not users.is_short(C)
    assert users.user_for(C) == first


def test_what_a_job_had_before_is_its_own_and_nobody_elses() -> None:
    users = JobUsers("5000-5001")
    users.take_up(A, Owner(5000, 5000))
    assert users.user_for(A) == Owner(5000, 5000)
    assert users.user_for(B) == Owner(5001, 5001)


def test_a_job_that_began_without_one_goes_on_so() -> None:
    users = JobUsers("5000-5001")
    users.take_up(A, None)
    assert users.user_for(A) is None
    assert not users.is_short(A)


@given(uids=st.lists(st.integers(0, 2**128 - 1).map("{:032x}".format), unique=True, max_size=12))
def test_no_two_live_jobs_have_the_same(uids: list[str]) -> None:
    users = JobUsers("5000-5009")
    given_to = [users.user_for(uid) for uid in uids if not users.is_short(uid)]
    assert len(given_to) == min(10, len(uids)) == len(set(given_to))
    assert all(user is not None and 5000 <= user.uid == user.gid <= 5009 for user in given_to)
