"""What a container knows of hosts, in the Docker API's words."""

from dataclasses import replace

import pytest

from manager.engine.docker import names
from manager.model.container_spec import Network
from manager.model.host_names import HostNames
from tests.unit.manager.builders import spec

NAMES = HostNames((("db", "10.0.0.5"),), ("10.0.0.53",), ("corp.example",), "me")
JOBS = replace(spec(), network=Network("job", "holder"), names=NAMES)


def test_in_another_containers_network_the_engine_is_told_nothing() -> None:
    """It refuses all of it."""
    assert names.of_host(JOBS) == {"ExtraHosts": []}
    assert names.own_name(JOBS) == ""


@pytest.mark.parametrize("kind", ["private", "named"])
def test_elsewhere_the_engine_sees_to_it(kind: str) -> None:
    found = replace(JOBS, network=Network(kind, "db"))  # type: ignore[arg-type]
    assert names.own_name(found) == "me"
    assert names.of_host(found) == {
        "ExtraHosts": ["db:10.0.0.5"],
        "Dns": ["10.0.0.53"],
        "DnsSearch": ["corp.example"],
    }


def test_without_a_network_the_address_of_its_own_name_is_said() -> None:
    found = replace(JOBS, network=Network("none"))
    assert names.of_host(found)["ExtraHosts"] == ["me:127.0.1.1", "db:10.0.0.5"]
    plain = replace(found, names=None)
    assert names.of_host(plain) == {"ExtraHosts": [f"{names.own_name(plain)}:127.0.1.1"]}


def test_who_asks_for_no_name_has_the_one_of_before() -> None:
    without = replace(JOBS, network=Network("none"), names=replace(NAMES, hostname=""))
    assert names.own_name(without) == names.own_name(replace(without, names=None)) != ""
