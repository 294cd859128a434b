"""docs/jobs has every field: in a table, and in an example that tests/scenarios/test_documented.py runs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from air_executor.format.models import JobSpec, Resources, RetryPolicy, TaskSpec
from tests.scenarios import documented

MODELS: list[tuple[type[BaseModel], str]] = [
    (TaskSpec, ""),
    (JobSpec, ""),
    (Resources, "resources."),
    (RetryPolicy, ""),
]
FIELDS = [
    (prefix + name, name) for model, prefix in MODELS for name in model.model_fields if name != "resources"
]
PAGES = "\n".join(page.read_text() for page in sorted(documented.DOCS.glob("*.md")))


def names(value: Any) -> Iterator[str]:
    """All keys in a document."""
    match value:
        case dict():
            yield from value
            for part in value.values():
                yield from names(part)
        case list():
            for part in value:
                yield from names(part)


USED = {name for example in documented.examples() for name in names(json.loads(example.text))}


@pytest.mark.parametrize(("shown", "name"), FIELDS, ids=[shown for shown, _ in FIELDS])
def test_a_field_has_its_words_and_its_example(shown: str, name: str) -> None:
    assert f"`{shown}`" in PAGES
    assert name in USED, f"no example has {name}"
