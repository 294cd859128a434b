"""Whether the operator allows what a task asks for."""

import pytest

from air_executor.errors import BadInput
from manager.core import policy
from tests.unit.manager.builders import OWNER, settings, task


@pytest.mark.parametrize("asked", [None, "job", "private", "none", "db"])
def test_a_network_that_every_task_may_have_or_the_operator_allows_is_no_breach(asked: str | None) -> None:
    policy.check(task("a", network=asked), OWNER, settings(networks=("db",)))


@pytest.mark.parametrize("asked", ["host", "container:other", "", "db2"])
def test_any_other_network_is_refused_with_what_is_allowed(asked: str) -> None:
    with pytest.raises(BadInput) as refused:
        policy.check(task("a", network=asked), OWNER, settings(networks=("db",)), "tasks[3].")
    words = f"tasks[3].network: {asked!r} is not allowed here; allowed are job, private, none, db"
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "setting"),
    [
        ({"user": "7"}, "users"),
        ({"image": "debian:12"}, "images"),
        ({"timeout": 1e300}, "max_timeout"),
        ({"network": "db"}, "networks"),
    ],
)
def test_every_refusal_names_its_setting(fields: dict[str, object], setting: str) -> None:
    with pytest.raises(BadInput, match=f"setting `{setting}`"):
        policy.check(task("a", **fields), OWNER, settings(images=()))
