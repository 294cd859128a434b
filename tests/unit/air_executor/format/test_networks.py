"""Which networks a task may ask for at all."""

import pytest

from air_executor.format.networks import OF_ALL, check_network, is_allowable


@pytest.mark.parametrize("name", [*OF_ALL, "db", "my_net-1.x"])
def test_what_an_operator_may_allow_or_all_have_is_returned(name: str) -> None:
    assert check_network(name) == name


@pytest.mark.parametrize(
    "name", ["", "host", "HOST", "bridge", "container:other", "ns:/proc/1/ns/net", "Job"]
)
def test_what_no_operator_can_allow_is_refused(name: str) -> None:
    assert not is_allowable(name)
    with pytest.raises(ValueError, match="is not allowed; there are job, private, none"):
        check_network(name)
