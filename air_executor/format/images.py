"""References to images, as the engine reads them: whether the first part names a registry, and what is left.

The grammar is that of the `distribution/reference` package, which Docker uses: `debian`, `team/tool:1`,
`registry.example.com:5000/tool@sha256:…`.
"""

import re
from dataclasses import dataclass

DEFAULT_REGISTRY = "docker.io"
RULE = "must be a reference to an image, such as debian:12 or registry.example.com/team/tool:1"
MAX_LENGTH = 255

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?", re.ASCII)
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}", re.ASCII)
"""What engines know of; the grammar has room for others, which they refuse."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An image, in full: also what stands in no name, as `docker.io` and `library/` in that of `debian`."""

    registry: str
    """With its port, where it has one."""
    path: str
    version: str
    """The tag, `latest` where there is none; the digest where there is one."""


def parse_reference(text: str) -> Reference:
    """Raises ValueError with the rule, and what to do where that can be told."""
    name, version = split_version(text)
    registry, path = split_name(name)
    valid = _PATH.fullmatch(path) and len(name) <= MAX_LENGTH
    if not (valid and _REGISTRY.fullmatch(registry) and _is_version(text.removeprefix(name))):
        raise ValueError("; ".join(filter(None, (RULE, _advice(text, name, path)))))
    return Reference(registry, path, version or "latest")


def check_image(text: str) -> str:
    """`text` itself. Raises ValueError as `parse_reference` does."""
    parse_reference(text)
    return text


def _advice(text: str, name: str, path: str) -> str | None:
    """What the writer may have meant."""
    scheme, separator, _ = text.partition("://")
    if not text:
        return "leave it out, and the task gets the usual image"
    if separator:
        return f"leave out {scheme}://"
    if any(character.isspace() for character in text):
        return "there is no space in one"
    if text.endswith((":", "@")):
        return f"after {text[-1]} comes a {'tag' if text[-1] == ':' else 'digest'}"
    if len(name) > MAX_LENGTH:
        return f"its name has {MAX_LENGTH} characters at most"
    if path != path.lower():
        return "its name has no upper-case letters"
    if "@" in text:
        return "a digest is sha256: and 64 of the digits 0-9 and a-f"
    return None


def is_same(one: str, other: str) -> bool:
    """Whether both name the same image: `tool`, `tool:latest` and `docker.io/library/tool` do."""
    if one == other:
        return True
    try:
        return parse_reference(one) == parse_reference(other)
    except ValueError:
        return False


def split_version(text: str) -> tuple[str, str | None]:
    """The name, and the digest or else the tag, where it has one."""
    tagged, at, digest = text.partition("@")
    name, colon, tag = tagged.rpartition(":")
    if not colon or "/" in tag:  # that was the registry's port
        name, tag = tagged, ""
    return name, digest if at else tag or None


def split_name(name: str) -> tuple[str, str]:
    """The registry, and what it calls the image."""
    first, slash, rest = name.partition("/")
    if not slash or not _is_registry(first):
        first, rest = DEFAULT_REGISTRY, name
    if first == f"index.{DEFAULT_REGISTRY}":
        first = DEFAULT_REGISTRY
    if first == DEFAULT_REGISTRY and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest


def _is_registry(first: str) -> bool:
    """Whether what stands before the first slash is a host: a dot, a port or an upper-case letter says so."""
    return "." in first or ":" in first or first == "localhost" or first != first.lower()


def _is_version(text: str) -> bool:
    """Whether it is `:tag`, `@digest`, both, or nothing."""
    tag, at, digest = text.partition("@")
    tag_well = not tag or _TAG.fullmatch(tag.removeprefix(":")) is not None
    return tag_well and (not at or _DIGEST.fullmatch(digest) is not None)
