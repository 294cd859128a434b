"""Whether an image may be pulled: by the operator's list, and by where the registry's name leads."""

from collections.abc import Iterable

import pytest

from manager.engine.registries import Registries, addresses

KNOWN = {
    "ghcr.io": ["140.82.121.34"],
    "both.example.com": ["8.8.8.8", "10.0.0.1"],
    "127.0.0.1.nip.io": ["127.0.0.1"],
    "six.example.com": ["fe80::1%eth0"],
    "8.8.8.8": ["8.8.8.8"],
}


def lookup(host: str) -> Iterable[str]:
    if host not in KNOWN:
        raise OSError("there is no such host")
    return KNOWN[host]


def refusal(image: str, *listed: str) -> str | None:
    return Registries(listed, "registry.corp:5000/runner:1", lookup).refusal(image)


@pytest.mark.parametrize("image", ["debian", "ghcr.io/team/tool:1", "8.8.8.8/x", "unknown.example.com/x"])
def test_of_public_registries_images_may_be_pulled(image: str) -> None:
    assert refusal(image, "public") is None


@pytest.mark.parametrize(
    "image", ["127.0.0.1:47123/exfil/x:1", "localhost:5000/x", "registry:5000/x", "[::1]:5/x"]
)
def test_of_private_ones_only_where_the_operator_names_them(image: str) -> None:
    registry = image.partition("/")[0]
    assert refusal(image, "public") == (
        f"{registry} is no registry that images may be pulled from here (setting `registries`)"
    )
    assert refusal(image, registry) is None


@pytest.mark.parametrize("image", ["127.0.0.1.nip.io/x", "both.example.com/x", "six.example.com/x"])
def test_a_public_name_that_leads_to_a_private_address_is_refused_unless_it_is_named(image: str) -> None:
    found = refusal(image, "public")
    assert found is not None and "which is no public address" in found and "`registries`" in found
    assert refusal(image, "public", image.partition("/")[0]) is None


@pytest.mark.parametrize(("listed", "allowed"), [((), False), (("ghcr.io",), True), (("docker.io",), False)])
def test_a_list_without_public_has_only_what_it_names(listed: tuple[str, ...], allowed: bool) -> None:
    assert (refusal("ghcr.io/x", *listed) is None) is allowed


def test_the_runner_image_may_come_from_wherever_the_operator_has_it() -> None:
    assert refusal("registry.corp:5000/runner:1") is None
    assert refusal("registry.corp:5000/runner:2") is not None


def test_what_is_no_reference_is_asked_of_nobody() -> None:
    assert refusal("../containers/x", "*") is not None


def test_addresses_are_looked_up_on_this_machine() -> None:
    assert "127.0.0.1" in addresses("localhost") or "::1" in addresses("localhost")
