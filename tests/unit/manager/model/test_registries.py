"""Which registries images may be pulled from: those that are named, and those that count as public."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.model.registries import host_of, is_public, is_public_address, names


@pytest.mark.parametrize(
    "registry",
    [
        "docker.io",
        "ghcr.io",
        "ghcr.io:443",
        "registry.example.com:5000",
        "8.8.8.8",
        "8.8.8.8:5000",
        "[2606:4700::1]",
    ],
)
def test_public(registry: str) -> None:
    assert is_public(registry)


LOOPBACK = [
    "localhost",
    "localhost:5000",
    "LOCALHOST",
    "a.localhost",
    "127.0.0.1",
    "127.0.0.1:47123",
    "127.8.9.1",
]
LOOPBACK += ["[::1]:5000", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]:80", "0.0.0.0:5000", "[::]:5000"]
ODD = [
    "2130706433:80",
    "0x7f000001:80",
    "0x7f.1",
    "127.1",
    "0177.0.0.1",
    "017700000001:5000",
    "10.1",
    "1.2.3.4.5",
]
ODD += ["8.8.8.08", "134744072:80", "a.b.0x7f"]
PRIVATE = [
    "10.0.0.1",
    "172.17.0.1:5000",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "[fe80::1]:80",
]
PRIVATE += ["[fd00::1]", "[fec0::1]", "[ff02::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:1::1]"]
NAMES = [
    "registry",
    "registry:5000",
    "HOST",
    "a.local",
    "a.internal",
    "host.docker.internal:5000",
    "a.home.arpa",
]
NAMES += ["nas.lan", "git.corp", "localhost.localdomain", "A.LOCAL"]


@pytest.mark.parametrize("registry", [*LOOPBACK, *ODD, *PRIVATE, *NAMES])
def test_not_public(registry: str) -> None:
    assert not is_public(registry)


@given(st.one_of(st.ip_addresses(v=4, network="127.0.0.0/8"), st.ip_addresses(v=4, network="10.0.0.0/8")))
def test_no_way_to_write_a_private_address_makes_it_public(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    a, b, c, d = address.packed
    for text in (
        *(str(address), str(number), hex(number), f"0{number:o}", f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        *(f"{a}.{number & 0xFFFFFF}", f"{a}.{b}.{number & 0xFFFF}", f"0{a:o}.{b}.{c}.{d}"),
        *(f"[::ffff:{address}]", f"[::{address}]", f"[64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}]"),
        f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]",
    ):
        assert not is_public(text), text
        assert not is_public(f"{text}:5000"), text


@pytest.mark.parametrize("text", ["", "host", "fe80::1%eth0", "127.1"])
def test_what_is_no_address_is_no_public_one(text: str) -> None:
    assert not is_public_address(text)


@pytest.mark.parametrize(
    ("registry", "listed", "expected"),
    [
        ("localhost:5000", ["localhost:5000"], True),
        ("localhost:5001", ["localhost:5000"], False),
        ("localhost:5000", ["localhost"], False),
        ("LOCALHOST:5000", ["localhost:5000"], True),
        ("[::1]:5000", ["[::1]:5000"], True),
        ("a.corp.example", ["*.corp.example"], True),
        ("corp.example.evil.com", ["*.corp.example"], False),
        ("public", ["public"], False),
        ("anything:1", ["*"], True),
        ("ghcr.io", [], False),
    ],
)
def test_named(registry: str, listed: list[str], expected: bool) -> None:
    assert names(registry, listed) is expected


@pytest.mark.parametrize(
    ("registry", "host"), [("a.b:1", "a.b"), ("a.b", "a.b"), ("[::1]:5", "::1"), ("[::1]", "::1")]
)
def test_the_host_is_without_port_and_brackets(registry: str, host: str) -> None:
    assert host_of(registry) == host
