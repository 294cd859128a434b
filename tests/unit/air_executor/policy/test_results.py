"""Whether tasks may leave results and list their outputs."""

import pytest

from air_executor.errors import BadInput
from air_executor.format.arguments import ResultOf
from manager.core import policy
from tests.unit.manager.builders import OWNER, granted, settings, task

REFERS = task("b", "a", args=("-n", ResultOf(result="a")))
PROMISES = task("b", outputs=("*.csv",))


def test_by_default_both_are_allowed() -> None:
    for each in (REFERS, PROMISES):
        policy.check(each, OWNER, settings())


def test_who_relies_on_what_is_switched_off_is_refused_with_the_setting() -> None:
    with pytest.raises(BadInput, match=r"tasks\[3\].args\[1\]: .*`result_kb`"):
        policy.check(REFERS, OWNER, settings(result_kb=0), "tasks[3].")
    with pytest.raises(BadInput, match=r"tasks\[3\].outputs: .*`outputs_mb`"):
        policy.check(PROMISES, OWNER, settings(outputs_mb=0), "tasks[3].")


def test_the_grant_has_todays_limits_and_none_where_nothing_is_asked_for() -> None:
    assert (granted(task()).result_kb, granted(task()).outputs_mb) == (256, None)
    assert granted(PROMISES, outputs_mb=7).outputs_mb == 7
    assert granted(PROMISES, outputs_mb=0, result_kb=0).result_kb is None


def test_a_task_with_outputs_or_references_gets_a_warm_container_all_the_same() -> None:
    for each in (REFERS, PROMISES):
        assert policy.is_usual(each, settings())
