"""Whether what a task hands over has the value of a secret in it: that stands in files which many read."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from air_executor.format.results import OutputFile, Result
from manager.folder.masking import SHORTEST_LINE, parts

A_BEGINNING = 16
"""Characters of a value that are known again in a sentence, which may have no more of it."""


def in_result(result: Result, secrets: Iterable[bytes]) -> bool:
    """Whether a value is in its text, or in one of its strings as programs read those."""
    return in_text("\n".join((result.text, *_strings(result.value))), secrets)


def in_names(files: Iterable[OutputFile], secrets: Iterable[bytes]) -> bool:
    """Whether a value is in one of their paths."""
    return in_text("\n".join(file.path for file in files), secrets)


def in_text(text: str, secrets: Iterable[bytes]) -> bool:
    """Whether a value is in it; no end of a line is in what is looked for."""
    data = text.encode(errors="surrogateescape")
    return any(form in data for secret in secrets for form in _forms(secret))


def in_words(text: str, secrets: Iterable[bytes]) -> bool:
    """Whether a value is in a sentence, also as that quotes what is strange: by its beginning, escaped."""
    forms = (form.decode(errors="surrogateescape") for secret in secrets for form in _forms(secret))
    return any(way in text for form in forms for way in _ways(form[:A_BEGINNING]))


def _ways(form: str) -> Iterator[str]:
    """As it stands, and as it is escaped between quotes of either kind."""
    yield form
    escaped = repr(form + "'\"")[1:-4]  # with both in it, ' are the quotes
    yield escaped
    yield escaped.replace("\\'", "'")


def _forms(secret: bytes) -> Iterator[bytes]:
    """What a log is not to show of it, and, where it is JSON, all of it as a result has that."""
    yield from parts(secret)
    try:
        value = json.loads(secret)
    except (ValueError, RecursionError):
        return
    form = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    if isinstance(value, dict | list) and len(form) >= SHORTEST_LINE:
        yield form


def _strings(value: Any) -> Iterator[str]:
    """All that are in it, keys too. It is as deep as a result may be."""
    match value:
        case str():
            yield value
        case dict():
            yield from value
            for each in value.values():
                yield from _strings(each)
        case list():
            for each in value:
                yield from _strings(each)
