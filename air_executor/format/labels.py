"""Labels: a few short words by which people find jobs and tasks again. They change nothing."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from air_executor.errors import quoted
from air_executor.format.limits import at_most

MAX_LABELS = 64
RULE = "must be 1 to 63 letters, digits and . _ - / of which the first and the last are a letter or a digit"
_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?", re.ASCII)


def _check(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if not _WORD.fullmatch(key):
            raise ValueError(f"{quoted(key)} is no name of a label: it {RULE}")
        if value and not _WORD.fullmatch(value):
            raise ValueError(f"{quoted(value)} is no value of {quoted(key)}: it may be empty, or {RULE}")
    return labels


Labels = Annotated[
    dict[Annotated[str, Field(strict=True)], Annotated[str, Field(strict=True)]],
    BeforeValidator(at_most(MAX_LABELS, "labels")),
    AfterValidator(_check),
]
