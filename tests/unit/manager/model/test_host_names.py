"""What a container knows of hosts."""

import pytest

from air_executor.format.attempts import GrantedNames
from manager.model.host_names import HOSTS, RESOLVER, HostNames

USUAL_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost\n172.17.0.2\tf73d1875aef8"
USUAL_RESOLVER = (
    "# by the engine\nnameserver 192.168.0.1\nnameserver 192.168.0.2\nsearch lan\noptions ndots:1\n"
)


def test_they_are_those_of_the_grant() -> None:
    granted = GrantedNames(hosts={"db": "10.0.0.5"}, dns=("10.0.0.53",), dns_search=("x",), hostname="me")
    assert HostNames.of(granted) == HostNames((("db", "10.0.0.5"),), ("10.0.0.53",), ("x",), "me")
    assert HostNames.of(GrantedNames()) == HostNames()


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (HostNames(), []),
        (HostNames(hostname="me"), []),
        (HostNames(hosts=(("db", "10.0.0.5"),)), [HOSTS]),
        (HostNames(dns=("10.0.0.53",)), [RESOLVER]),
        (HostNames(dns_search=("x",)), [RESOLVER]),
        (HostNames(hosts=(("db", "10.0.0.5"),), dns_search=("x",)), [HOSTS, RESOLVER]),
    ],
    ids=str,
)
def test_only_files_that_say_something_else_are_other_ones(names: HostNames, files: list[str]) -> None:
    assert list(names.files) == files


def test_what_is_usual_stays_in_hosts() -> None:
    names = HostNames(hosts=(("db", "10.0.0.5"), ("six", "fd00::5")))
    assert names.written(HOSTS, USUAL_HOSTS) == f"{USUAL_HOSTS}\n10.0.0.5\tdb\nfd00::5\tsix\n"
    assert names.written(HOSTS, "") == "10.0.0.5\tdb\nfd00::5\tsix\n"


def test_name_servers_and_domains_take_the_place_of_the_usual_ones() -> None:
    usual = USUAL_RESOLVER.splitlines()
    assert HostNames(dns=("10.0.0.53",)).written(RESOLVER, USUAL_RESOLVER).splitlines() == [
        usual[0],
        *usual[3:],
        "nameserver 10.0.0.53",
    ]
    assert HostNames(dns_search=("a", "b")).written(RESOLVER, USUAL_RESOLVER).splitlines() == [
        *usual[:3],
        usual[4],
        "search a b",
    ]
