"""PURE. To which addresses tasks may send, by the operator's settings and the host's own addresses."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address

from manager.model.values import Guard
from manager.settings import OPEN, Settings

NEVER = ("-169.254.0.0/16", "-fe80::/10", "-0.0.0.0/8", "-224.0.0.0/4", "-240.0.0.0/4", "-ff00::/8")
"""Link-local, "this host", and what reaches all neighbours at once."""


def guard(settings: Settings, host: Iterable[str]) -> Guard:
    """What shuts the networks of tasks, where the engine's host has these addresses."""
    asked = json.dumps([settings.egress, settings.reachable, settings.unreachable])
    return Guard(tuple(_rules(settings, host)), hashlib.sha256(asked.encode()).hexdigest()[:16])


def _rules(settings: Settings, host: Iterable[str]) -> Iterator[str]:
    """The first that fits decides; what none fits is refused."""
    if not settings.egress:
        return
    yield from _each("+", settings.reachable)
    if settings.egress == OPEN:  # a list says itself which name servers are asked
        yield "+dns"
    yield "-link"
    yield from _each("-", host)
    yield from _each("-", settings.unreachable)
    yield from NEVER
    yield from _each("+", settings.egress)


def _each(sign: str, networks: Iterable[str]) -> Iterator[str]:
    return (sign + network for network in networks)


def addresses(text: str) -> tuple[str, ...]:
    """The host's addresses that others can send to, from its /proc/net/fib_trie and /proc/net/if_inet6."""
    found: set[IPv4Address | IPv6Address] = set()
    leaf = ""
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            leaf = words[1]
        elif words[1:] == ["host", "LOCAL"]:
            found.add(IPv4Address(leaf))
        elif len(words) == 6 and len(words[0]) == 32:
            found.add(IPv6Address(bytes.fromhex(words[0])))
    # Every container has its own loopback; link-local addresses are refused as a whole.
    apart = sorted(str(each) for each in found if not (each.is_loopback or each.is_link_local))
    return tuple(apart)
