"""PURE. What is known of an image, and what a task executes that leaves it to its image."""

from dataclasses import dataclass

from air_executor.errors import quoted
from air_executor.format.images import parse_reference, split_version
from air_executor.format.limits import A_STRINGS_REST, MAX_COMMAND_BYTES, MAX_STRING_BYTES
from manager.model.stop_signals import USUAL

MOST_WORDS_BYTES = 64 << 10
"""Of an image's ENTRYPOINT and CMD together: they stand in the record of each attempt that runs them."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image says of itself, as far as a task's container is concerned."""

    digests: tuple[str, ...] = ()
    """By which registries know it, each with the name it has there: `debian@sha256:…`."""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    stop_signal: str = USUAL
    flaw: str | None = None
    """Why its entry point and command can't be used, in words, where they can't be."""

    def digest_of(self, image: str) -> str | None:
        """The digest under the name by which a task has asked for it; else under any that it has."""
        return min(self.digests, key=lambda digest: (not _same_name(digest, image), digest), default=None)


def words(own: tuple[str, ...], entrypoint: tuple[str, ...], command: tuple[str, ...]) -> tuple[str, ...]:
    """What is executed in an image with this entry point and command, where the task leaves it to the image
    but for words of its `own`: as `docker run` does."""
    return (*entrypoint, *(own or command))


def check_words(own: tuple[str, ...], image: str, facts: ImageFacts) -> None:
    """Raises ValueError, with a sentence, where that is nothing to execute, or too much."""
    name = f"the image {quoted(image)}"
    if facts.flaw is not None:
        raise ValueError(f"what {name} runs can't be used: {facts.flaw}")
    found = words(own, facts.entrypoint, facts.command)
    if not found:
        raise ValueError(f"{name} has no ENTRYPOINT and no CMD: say which command is to run (`command`)")
    if not found[0]:
        raise ValueError(f"the ENTRYPOINT of {name} begins with nothing: say what is to run (`entrypoint`)")
    sizes = [len(word.encode()) for word in found]
    all_of_them = sum(sizes) + A_STRINGS_REST * len(sizes)
    if max(sizes) > MAX_STRING_BYTES or all_of_them > MAX_COMMAND_BYTES:
        raise ValueError(f"the ENTRYPOINT of {name} and the task's arguments are too much together")


def _same_name(digest: str, image: str) -> bool:
    try:
        found, asked = parse_reference(split_version(digest)[0]), parse_reference(split_version(image)[0])
    except ValueError:
        return False
    return (found.registry, found.path) == (asked.registry, asked.path)
