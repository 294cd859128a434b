"""PURE. Which images a task may ask for. Patterns are read as references are, so that no image passes for one
of another registry: `debian:*` is none of the registry `debian:5000`."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from air_executor.errors import BadInput
from air_executor.format.images import parse_reference, split_name, split_version
from air_executor.policy.rules import Policy

ANY = "*"
SHOWN = 80
"""Characters of what was asked for that a message has."""


def check_image(image: str, settings: Policy, field: str = "") -> None:
    """Raises BadInput where the image may not be asked for, or is none."""
    if image == settings.runner_image:
        return
    try:
        parse_reference(image)
    except ValueError as error:
        raise BadInput(f"{image[:SHOWN]!r} {error}", field=f"{field}image") from None
    if not matches(image, settings.images):
        allowed = ", ".join((settings.runner_image, *settings.images))
        raise BadInput(
            f"{image[:SHOWN]!r} is not allowed here; allowed are {allowed} (setting `images`)",
            field=f"{field}image",
        )


def matches(image: str, patterns: Iterable[str]) -> bool:
    """Whether the reference fits one of the patterns."""
    return any(_fits(image, pattern) for pattern in patterns)


def _fits(image: str, pattern: str) -> bool:
    if pattern == ANY:
        return True
    found, name_and_version = parse_reference(image), split_version(pattern)
    registry, path = _split_pattern(name_and_version[0])
    version = name_and_version[1] or ANY
    parts = ((found.registry, registry), (found.path, path), (found.version, version))
    return all(fnmatchcase(part, allowed) for part, allowed in parts)


def _split_pattern(name: str) -> tuple[str, str]:
    """As the name of an image; a first part with a wildcard stands for registries."""
    first, slash, rest = name.partition("/")
    return (first, rest) if slash and set(first) & set("*?[") else split_name(name)
