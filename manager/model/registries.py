"""PURE. Which registries images may be pulled from: what the operator names, and what counts as public."""

import ipaddress
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

PUBLIC = "public"
"""Stands in the operator's list for every registry with a public name or address."""

_PRIVATE_ENDS = frozenset({"localhost", "localdomain", "local", "internal", "intranet", "private", "lan"})
_PRIVATE_ENDS |= {"home", "corp", "arpa"}
"""Last parts of names that no public registry has (RFC 6761, 6762, 8375; ICANN's `internal`, and customs)."""
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*", re.ASCII)
_UNICAST = ipaddress.ip_network("2000::/3")
_WRAPPED = (ipaddress.ip_network("2001::/32"), ipaddress.ip_network("2002::/16"))
"""Addresses that have an IPv4 address in them, whatever that is (Teredo, 6to4)."""


def names(registry: str, registries: Iterable[str]) -> bool:
    """Whether the operator's list names the registry itself, or by a pattern."""
    own = registry.lower()
    named = (each.lower() for each in registries if each != PUBLIC)
    return any(own == each or fnmatchcase(own, each) for each in named)  # [::1] is also a pattern


def is_public(registry: str) -> bool:
    """Whether its name, or its address, is one of the internet's, as far as a text can tell.

    A name may stand for a private address: that is seen when it is looked up, and not here.
    """
    host = host_of(registry).lower()
    if ":" in host:
        return is_public_address(host)
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):  # an address, however it is written: 127.1, 0x7f000001, 017700000001
        return is_public_address(host)
    return len(labels) > 1 and labels[-1] not in _PRIVATE_ENDS


def is_public_address(address: str) -> bool:
    """Whether it is one of the internet's; False for what is no address in its usual form."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if found.version == 6 and (found not in _UNICAST or any(found in each for each in _WRAPPED)):
        return False
    return found.is_global and not found.is_multicast


def host_of(registry: str) -> str:
    """Its host, without the port, and without brackets."""
    if registry.startswith("["):
        return registry[1:].partition("]")[0]
    return registry.partition(":")[0]
