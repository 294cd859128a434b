"""Names of hosts, as tasks have them: their own, those that they find without asking, and whom they ask."""

import re
from ipaddress import ip_address
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from air_executor.errors import quoted
from air_executor.format.limits import at_most

MOST_HOSTS = 64
MOST_SERVERS = 3
"""The resolvers of all C libraries read no more."""
MOST_DOMAINS = 6
OWN = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "host.docker.internal")
"""What every container knows already, or must not."""

_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)
NAME_RULE = "must be a name of a host such as db.internal: letters, digits, hyphens and dots (RFC 1123)"


def check_name(name: Any) -> str:
    """`name` itself. Raises ValueError where no host can have it."""
    if not isinstance(name, str) or not _is_name(name):
        raise ValueError(f"{quoted(name)} {NAME_RULE}")
    return name


def _is_name(text: str) -> bool:
    return len(text) <= 253 and _NAME.fullmatch(text) is not None


def check_address(address: Any) -> str:
    """The address in its one form. Raises ValueError; so it does for `host-gateway`."""
    try:
        found = ip_address(address if isinstance(address, str) else "")
    except ValueError:
        raise ValueError(f"{quoted(address)} is no address such as 10.0.0.5 or fd00::5") from None
    if "%" in str(found):
        raise ValueError(f"{quoted(address)} has a zone, which means nothing in a container")
    return str(found)


def _read_hosts(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError('must be an object of names and addresses, such as {"db.internal": "10.0.0.5"}')
    found = {check_name(name).lower(): check_address(address) for name, address in value.items()}
    if len(found) < len(value):
        raise ValueError("has a name twice: capital letters make no other one")
    known = next((name for name in found if name in OWN), None)
    if known is not None:
        raise ValueError(f"{known} can't be given another address")
    return found


def _read_servers(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise ValueError('must be a list of addresses of name servers, such as ["10.0.0.53"]')
    return tuple(map(check_address, value))


def _read_domains(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise ValueError('must be a list of domains, such as ["corp.example"]')
    domains = tuple(map(check_name, value))
    if sum(map(len, domains)) > 250:  # glibc before 2.26 reads 256 characters, with spaces between
        raise ValueError("is longer than 250 characters in all")
    return domains


def _check_hostname(name: str) -> str:
    """What is wrong is said behind the name, as of any text."""
    if not _is_name(name):
        raise ValueError(NAME_RULE)
    if name.lower() in OWN:
        raise ValueError("is no name for one host")
    return name


Hosts = Annotated[dict[str, str], BeforeValidator(_read_hosts), BeforeValidator(at_most(MOST_HOSTS, "names"))]
"""Addresses by name, for /etc/hosts."""
Servers = Annotated[
    tuple[str, ...], BeforeValidator(_read_servers), BeforeValidator(at_most(MOST_SERVERS, "name servers"))
]
Domains = Annotated[
    tuple[str, ...], BeforeValidator(_read_domains), BeforeValidator(at_most(MOST_DOMAINS, "domains"))
]
HostName = Annotated[str, Field(strict=True, max_length=63), AfterValidator(_check_hostname)]
"""A host's own name; the kernel has room for 64 bytes."""
