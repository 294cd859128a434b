"""The examples of docs/jobs/*.md, as they stand there.

A block that begins with ```` ```json job ```` is what `air-executor create` is given, and completes; with
` state=failed` behind that, it fails; with ` state=refused`, it is refused where it is made. A block of TOML
that begins with ```` ```toml config ```` stands in the operator's config.toml, for all of them: tables only,
or top-level keys only. `/srv/` in either is a folder of the test's; a path in it that ends with `/` is made
as a folder that anybody may write to.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "jobs"

_BLOCK = re.compile(r"^```(json job|toml config)(?: state=(\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Example:
    """One job of the documentation."""

    name: str
    text: str
    state: str


def examples() -> list[Example]:
    """All jobs, in the order of the pages."""
    return [
        Example(json.loads(text)["job"]["name"], text, state or "completed")
        for kind, state, text in _blocks()
        if kind == "json job"
    ]


def config() -> str:
    """The operator's config.toml that they are written for."""
    texts = [text for kind, _, text in _blocks() if kind == "toml config"]
    return "\n".join(sorted(texts, key=lambda text: text.lstrip().startswith("[")))


def _blocks() -> Iterator[tuple[str, str, str]]:
    for page in sorted(DOCS.glob("*.md")):
        yield from _BLOCK.findall(page.read_text())
