"""Which rules a job's network gets, and which addresses are the host's."""

from typing import Any

import pytest

from manager.model import egress
from tests.unit.manager.builders import settings

HOST = ("172.17.0.1", "192.0.2.2")
FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 192.0.2.2
        /32 host LOCAL
     |-- 192.0.2.255
        /32 link BROADCAST
Local:
  +-- 127.0.0.0/8 2 0 2
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 172.17.0.1
        /32 host LOCAL
     |-- 192.0.2.2
        /32 host LOCAL
"""
IF_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
fd000000000000000000000000000002 04 40 00 80     eth0
"""


def rules(**fields: Any) -> tuple[str, ...]:
    return egress.guard(settings(**fields), HOST).rules


def test_the_hosts_addresses_are_those_that_others_can_send_to() -> None:
    assert egress.addresses(FIB_TRIE + IF_INET6) == ("172.17.0.1", "192.0.2.2", "fd00::2")


def test_what_tells_of_no_address_has_none() -> None:
    assert egress.addresses("") == egress.addresses("cat: no such file") == ()


def test_open_is_all_but_the_link_the_host_and_what_is_never_reached() -> None:
    found = rules()
    everything = found.index("+0.0.0.0/0")
    assert found[:2] == ("+dns", "-link")
    for refused in ("-172.17.0.1", "-192.0.2.2", "-169.254.0.0/16", "-fe80::/10", "-224.0.0.0/4"):
        assert found.index(refused) < everything
    assert found[everything:] == ("+0.0.0.0/0", "+::/0")


def test_none_is_nothing_whatever_is_reachable() -> None:
    assert rules(egress="none", reachable=["192.0.2.2"]) == ()


def test_a_list_is_no_more_than_it_says_and_does_not_open_the_host() -> None:
    found = rules(egress=["192.0.2.0/24"])
    assert [rule for rule in found if rule.startswith("+")] == ["+192.0.2.0/24"]
    assert found.index("-192.0.2.2") < found.index("+192.0.2.0/24")


def test_what_is_unreachable_is_refused_before_all_else_but_what_is_reachable() -> None:
    found = rules(unreachable=["10.0.0.0/8"], reachable=["10.1.0.0/16"])
    assert found[0] == "+10.1.0.0/16"
    assert found.index("-10.0.0.0/8") < found.index("+0.0.0.0/0")


@pytest.mark.parametrize(
    "change", [{"egress": "none"}, {"unreachable": []}, {"reachable": ["192.0.2.9"]}], ids=str
)
def test_guards_of_other_settings_are_told_apart_and_those_of_other_hosts_are_not(
    change: dict[str, Any],
) -> None:
    usual = egress.guard(settings(), HOST)
    assert egress.guard(settings(**change), HOST).settings != usual.settings
    assert egress.guard(settings(), ()).settings == usual.settings
