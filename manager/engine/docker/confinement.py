"""PURE. What the engine's host has to confine containers with, as the answer of `GET /info` tells it."""

from typing import Any, Literal

from manager.engine.contract import Confinement
from manager.engine.docker import seccomp

Choice = Literal["strict", "engine"]
"""Whose seccomp profile containers get: ours, or the engine's own."""

NAMES = {"apparmor": "AppArmor", "selinux": "SELinux", "userns": "user namespaces", "rootless": "rootless"}
"""What else there may be, and is in force without being asked for; in our words."""
OPEN = "so a task can leave files with setuid bits in its job's folder"


def profile(info: dict[str, Any], choice: Choice) -> str | None:
    """The seccomp profile that containers are to get; None where it is the engine's to choose."""
    if choice == "engine" or "seccomp" not in _options(info):
        return None
    return seccomp.profile(info["Architecture"])


def confinement(info: dict[str, Any], choice: Choice) -> Confinement:
    """In words for the operator."""
    options, gaps = _options(info), []
    if "seccomp" not in options:
        gaps.append(
            f"the engine has no seccomp (`docker info` would name it): no system call is refused, {OPEN}"
        )
    elif choice == "strict" and profile(info, choice) is None:
        machine = info["Architecture"]
        gaps.append(f"there is no strict seccomp profile for {machine}: tasks have the engine's own, {OPEN}")
    if profile(info, choice) is None and options.get("seccomp") == "unconfined":
        gaps.append(
            "the engine's own seccomp profile is `unconfined`: no system call is refused; "
            'take that out of daemon.json, or set seccomp = "strict"'
        )
    ours = "strict" if profile(info, choice) is not None else "the engine's own profile"
    means = [f"seccomp ({ours})"] if "seccomp" in options else []
    means += [name for option, name in NAMES.items() if option in options]
    return Confinement(means=tuple(means), gaps=tuple(gaps))


def _options(info: dict[str, Any]) -> dict[str, str]:
    """The profile of each by its name; such an entry is `name=seccomp,profile=builtin`."""
    entries = [
        dict(part.partition("=")[::2] for part in entry.split(",")) for entry in info["SecurityOptions"] or []
    ]
    return {entry["name"]: entry.get("profile", "") for entry in entries if "name" in entry}
