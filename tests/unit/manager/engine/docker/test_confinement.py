"""What the engine's host has to confine containers with, from what Docker says of itself."""

from typing import Any

import pytest

from manager.engine.docker import seccomp
from manager.engine.docker.confinement import Choice, confinement, profile


def info(*options: str, machine: str = "x86_64") -> dict[str, Any]:
    return {"Architecture": machine, "SecurityOptions": list(options)}


BUILTIN = "name=seccomp,profile=builtin"
OURS = seccomp.profile("x86_64")


@pytest.mark.parametrize(
    ("told", "choice", "expected"),
    [
        (info(BUILTIN), "strict", OURS),
        (info("name=apparmor", "name=seccomp,profile=unconfined"), "strict", OURS),
        (info(BUILTIN), "engine", None),
        (info("name=apparmor"), "strict", None),
        ({"Architecture": "x86_64", "SecurityOptions": None}, "strict", None),
        (info(BUILTIN, machine="s390x"), "strict", None),
    ],
)
def test_our_profile_is_given_where_it_can_be(
    told: dict[str, Any], choice: Choice, expected: str | None
) -> None:
    assert profile(told, choice) == expected


@pytest.mark.parametrize(
    ("told", "choice", "means", "gap"),
    [
        (info(BUILTIN, "name=cgroupns"), "strict", ("seccomp (strict)",), None),
        (info("name=apparmor", BUILTIN), "strict", ("seccomp (strict)", "AppArmor"), None),
        (
            info(BUILTIN, "name=rootless", "name=userns"),
            "engine",
            ("seccomp (the engine's own profile)", "user namespaces", "rootless"),
            None,
        ),
        (info("name=apparmor"), "strict", ("AppArmor",), "the engine has no seccomp"),
        (info(), "engine", (), "the engine has no seccomp"),
        (
            info(BUILTIN, machine="s390x"),
            "strict",
            ("seccomp (the engine's own profile)",),
            "no strict seccomp profile for s390x",
        ),
        (
            info("name=seccomp,profile=unconfined"),
            "engine",
            ("seccomp (the engine's own profile)",),
            "`unconfined`",
        ),
    ],
)
def test_nothing_is_claimed_that_is_not_so(
    told: dict[str, Any], choice: Choice, means: tuple[str, ...], gap: str | None
) -> None:
    found = confinement(told, choice)
    assert found.means == means
    if gap is None:
        assert found.gaps == ()
    else:
        assert len(found.gaps) == 1
        assert gap in found.gaps[0]
