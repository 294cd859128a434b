"""A user of ten digits, which no engine and no file system takes, used to hold a runner for ever.

Nobody gets such a number: a job or a request with it is refused, and no grant can have it.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.models import TaskSpec
from air_executor.format.users import MAX_ID
from manager.core import admission, policy
from manager.model.values import Owner
from tests.unit.manager.builders import UID, settings, task
from tests.unit.manager.core.test_admission import found

NUMBERS = ["9999999999", "4294967296", "4294967295", "4294967294", "2147483648", "1000:4294967295", "1000:0"]


@pytest.mark.parametrize("user", NUMBERS)
def test_a_request_for_it_is_refused_with_the_rule(user: str) -> None:
    with pytest.raises(BadInput, match=r"user: .* must be a numeric user id from 1 to 2147483647"):
        validate(TaskSpec, json.loads(json.dumps({"id": "a", "command": "true", "user": user})))


@pytest.mark.parametrize("user", NUMBERS)
def test_a_job_with_it_is_refused_even_where_everybody_is_allowed(user: str) -> None:
    with pytest.raises(BadInput, match=r"tasks\[0\]\.user"):
        admission.take(found(task("a", user=user)), UID, settings(users=("1-2147483647",)))


@given(
    asked=st.one_of(
        st.none(), st.builds("{}:{}".format, st.integers(1, 10**10 - 1), st.integers(0, 10**10 - 1))
    ),
    owner=st.builds(Owner, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
)
def test_no_grant_has_a_number_that_fchown_or_the_engine_refuses(asked: str | None, owner: Owner) -> None:
    granted = policy.grant(task("a", user=asked), owner, "net", settings(users=("1-2147483647",)))
    user = Owner.parse(granted.user)
    assert 1 <= user.uid <= MAX_ID and 1 <= user.gid <= MAX_ID
