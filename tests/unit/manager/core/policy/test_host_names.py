"""What a task may say of hosts."""

import pytest

from air_executor.errors import BadInput
from air_executor.format.attempts import GrantedNames
from air_executor.policy.host_names import check_host_names
from manager.core import policy
from manager.core.policy.host_names import granted_names
from tests.unit.manager.builders import settings, task


@pytest.mark.parametrize("network", [None, "job"])
def test_a_task_in_its_jobs_network_has_no_name_of_its_own(network: str | None) -> None:
    of = task("a", hostname="me", network=network)
    with pytest.raises(BadInput, match=r'tasks\[1\]\.hostname: .*"network": "private" .*`networks`'):
        check_host_names(of, "tasks[1].")
    assert granted_names(of) is None or granted_names(of) == GrantedNames()


@pytest.mark.parametrize("network", ["private", "none", "db"])
def test_a_task_in_another_network_has(network: str) -> None:
    of = task("a", hostname="me", network=network)
    check_host_names(of)
    assert granted_names(of) == GrantedNames(hostname="me")


def test_what_is_asked_for_is_granted_and_nothing_where_nothing_is() -> None:
    of = task("a", hosts={"db": "10.0.0.5"}, dns=["10.0.0.53"], dns_search=["corp.example"])
    assert granted_names(of) == GrantedNames(
        hosts={"db": "10.0.0.5"}, dns=("10.0.0.53",), dns_search=("corp.example",)
    )
    assert granted_names(task("a")) is None
    assert not policy.is_usual(of, settings())
