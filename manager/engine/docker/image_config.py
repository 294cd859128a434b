"""PURE. What an image's inspection says of it, in the manager's words.

An image is a stranger's: what it says may be of any kind, and as long as a manifest may be.
"""

from typing import Any

from air_executor.format.fields import is_encodable
from manager.model.image_facts import MOST_WORDS_BYTES, ImageFacts
from manager.model.stop_signals import stop_signal

MOST_DIGESTS = 16
LONGEST_DIGEST = 512
"""Characters, with the name that comes before."""


def image_facts(data: dict[str, Any]) -> ImageFacts:
    """From the answer of `GET /images/{name}/json`."""
    config = data.get("Config") or {}
    entrypoint, command = config.get("Entrypoint") or [], config.get("Cmd") or []
    flaw = _flaw(entrypoint) or _flaw(command) or _too_long([*entrypoint, *command])
    return ImageFacts(
        digests=tuple(filter(_is_usual, data.get("RepoDigests") or ()))[:MOST_DIGESTS],
        entrypoint=() if flaw else tuple(entrypoint),
        command=() if flaw else tuple(command),
        stop_signal=stop_signal(str(config.get("StopSignal") or "")),
        flaw=flaw,
    )


def _flaw(words: Any) -> str | None:
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return "it is no list of words"
    if any("\0" in word or not is_encodable(word) for word in words):
        return "it has a character that no command can have"
    return None


def _too_long(words: list[str]) -> str | None:
    size = sum(len(word.encode()) + 1 for word in words)
    return (
        f"it has {size:,} bytes, and {MOST_WORDS_BYTES:,} are the most" if size > MOST_WORDS_BYTES else None
    )


def _is_usual(digest: Any) -> bool:
    return isinstance(digest, str) and len(digest) <= LONGEST_DIGEST and is_encodable(digest)
