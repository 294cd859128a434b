"""Whatever somebody wrote: it is read, or refused in a sentence that is one line and not endless."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from air_executor.errors import BadInput
from air_executor.format.documents import parse_json, validate
from air_executor.format.limits import Bounds
from air_executor.format.models import Job, Task, TaskSpec

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=200)
    | st.sampled_from(["pending", "9" * 20, "\0", "\x1b[2J\n", "9999-12-31T23:59:59-23:00"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
)
MODELS: list[type[Any]] = [Job, Task, TaskSpec]
KEYS = sorted({key for model in MODELS for key in model.model_fields})
RECORDS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8)
NEARLY = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=2).map(
    lambda change: {"id": "a", "command": "x", "name": "a"} | change
)
TOKENS = st.lists(
    st.sampled_from(
        ['"', "\\", "[", "]", "{", "}", ",", ":", "1", "-", "e9", "NaN", "\\ud83d", "é", "\n", '"a"']
    )
)


def told(complain: Any) -> Any:
    """What it returns, or None where it complained as it should."""
    try:
        return complain()
    except BadInput as error:
        assert len(error.rule) <= 500
        assert str(error).isprintable()
        return None


@given(st.binary(max_size=300) | TOKENS.map(lambda tokens: "".join(tokens).encode()))
@example(b'"' + b'\\"' * 50 + b"\\")
@example(b"[" * 5000)
@example(b"-" + b"9" * 5000)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    value = told(lambda: parse_json(data))
    if value is not None:
        json.dumps(value, ensure_ascii=False).encode()


@given(TOKENS.map(lambda tokens: "".join(tokens).encode()))
def test_what_is_in_strings_is_not_counted(data: bytes) -> None:
    text = json.dumps(data.decode()).encode()
    assert parse_json(text, Bounds()) == data.decode()


@pytest.mark.parametrize("model", MODELS)
@given(value=VALUES | RECORDS | NEARLY)
def test_any_value_is_a_record_or_refused(model: type[Any], value: Any) -> None:
    record = told(lambda: validate(model, value, "tasks[0]"))
    if record is not None:
        assert len(record.model_dump_json()) < 100_000


@given(st.dictionaries(st.text(), SCALARS | st.text(max_size=3000), max_size=30))
def test_what_nobody_knows_is_small_or_refused(theirs: dict[str, Any]) -> None:
    record = told(lambda: validate(Job, theirs | {"id": "1", "name": "a"}))
    if record is not None:
        assert len(json.dumps(record.model_extra, default=str)) <= 16 << 10
