"""JSON as strangers write it: strictly read, bounded, and refused with the place that is wrong."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from air_executor.errors import LONGEST_VALUE, BadInput, cut, plain, quoted
from air_executor.format.fields import HALF_A_PAIR, Spec
from air_executor.format.limits import OWN, Bounds
from air_executor.format.nearest import did_you_mean, fields_at, unknown_field

MAX_DEPTH = 100

Model = TypeVar("Model", bound=BaseModel)

_HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_QUOTED = re.compile(r"'([^']*)'")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)', re.DOTALL)
"""A string in JSON, ended or not: so that what looks for all of them reads nothing twice."""


class Unfinished(BadInput):
    """The text is not JSON; a writer may still be at it."""


def parse_json(data: bytes, bounds: Bounds = OWN) -> Any:
    """The value that `data` holds.

    Raises Unfinished, with line and column, for what is not JSON; BadInput for what JSON readers
    disagree about (a key twice, NaN, Infinity, half of a surrogate pair) or what is too large or too deep.
    """
    _check_size(data, bounds)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unfinished(f"is not UTF-8: byte {error.start} is {data[error.start]:#04x}") from None
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise Unfinished(f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise BadInput("is nested too deeply") from None
    except BadInput:
        raise
    except ValueError:  # Python's limit on the digits of a number
        raise BadInput("has a number with too many digits") from None
    _check_depth(value)
    if _HALF_A_PAIR.search(text):
        _check_encodable(value)
    return value


def _check_size(data: bytes, bounds: Bounds) -> None:
    """Many short values take far more memory than their text: they are counted before there are any."""
    if len(data) > bounds.bytes:
        raise BadInput(f"is larger than {bounds.bytes} bytes")
    if _parts(data) > bounds.parts and _parts(_STRING.sub(b"", data)) > bounds.parts:
        raise BadInput(f"has more than {bounds.parts} values")


def _parts(data: bytes) -> int:
    return sum(map(data.count, (b",", b":", b"[", b"{")))


def _check_depth(value: Any) -> None:
    """What can be read may still be too deep to be written again."""
    if depth_of(value) > MAX_DEPTH:
        raise BadInput("is nested too deeply")


def depth_of(value: Any) -> int:
    """How many values are in each other, at the deepest place; of more than may be, no more are counted."""
    level = [value]
    for depth in range(1, MAX_DEPTH + 1):
        below = (entry for entry in level if isinstance(entry, dict | list))
        level = [part for entry in below for part in (entry.values() if isinstance(entry, dict) else entry)]
        if not level:
            return depth
    return MAX_DEPTH + 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise BadInput(f"has the key {quoted(_first_twice(pairs))} twice in one object")
    return result


def _first_twice(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    raise ValueError("no key is there twice")


def _no_constant(name: str) -> float:
    raise BadInput(f"has {name}, which is not a number in JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise BadInput(f"has {digits[:20]}, which is too large for a number")
    return value


def _check_encodable(value: Any) -> None:
    """What can't be written as UTF-8 could be read, but never published again."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadInput("has half of a surrogate pair (\\ud800 to \\udfff) in a string") from None


def validate(model: type[Model], value: Any, field: str = "") -> Model:
    """`value` as a `model`.

    Raises BadInput naming the first field that is wrong, below `field`, and how many others are. In a list,
    nothing is looked at behind the first that is wrong.
    """
    if not isinstance(value, dict):
        raise BadInput(f"must be an object, not {_kind(value)}", field=field)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _complaint(error, model, field) from None


def _complaint(error: ValidationError, model: type[BaseModel], field: str) -> BadInput:
    first = _telling(error.errors(include_url=False))
    inner = first["ctx"]["field"] if first["type"] == "missing_field" else None
    loc = first["loc"] if inner is None else (*first["loc"], inner)
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        rule = _unknown(str(loc[-1]), loc[:-1], model)
    else:
        unit = " of MiB, such as 1024" if str(loc[-1] if loc else "").endswith("_mb") else ""
        rule = _rule(first["type"], first["msg"], first.get("input"), unit)
    return BadInput(rule + more, field=_place(field, loc))


def _telling(errors: Sequence[ErrorDetails]) -> ErrorDetails:
    """The first; where that is a field that is missing, one that stands in its place under another name."""
    first = errors[0]
    beside = (each for each in errors if each["type"] == "extra_forbidden")
    others = (each for each in beside if each["loc"][:-1] == first["loc"][:-1])
    return next(others, first) if first["type"] == "missing" else first


def _unknown(name: str, place: Sequence[int | str], model: type[BaseModel]) -> str:
    elsewhere = model.elsewhere(name) if issubclass(model, Spec) and not place else None
    return elsewhere or unknown_field(name, fields_at(model, place))


def _rule(kind: str, message: str, value: Any, unit: str) -> str:
    match kind:
        case "missing":
            return "is missing"
        case "missing_field":
            return message
        case "string_type":
            hint = f'; write "{quoted(value)}"' if isinstance(value, int | float) else ""
            return f"must be a string, not {_kind(value)}{hint}"
        case "tuple_type" | "list_type":
            return f"must be a list, not {_kind(value)}"
        case "dict_type" | "model_type":
            return f"must be an object, not {_kind(value)}"
        case "int_type" | "int_from_float":
            return f"must be a whole number{unit}, not {_kind(value)}"
        case "float_type":
            return f"must be a number, not {_kind(value)}"
        case "bool_type":
            return f"must be true or false, not {_kind(value)}"
        case "string_unicode":
            return HALF_A_PAIR
        case "string_too_short":
            return "must not be empty"
        case "enum" | "literal_error":
            return f"{message[0].lower()}{message[1:]}, not {quoted(value)}{_meant(value, message)}"
        case "value_error":
            shown = f"{quoted(value)} " if isinstance(value, str) and len(value) < LONGEST_VALUE else ""
            return shown + message.removeprefix("Value error, ")
        case _:
            return f"{message[0].lower()}{message[1:]}"


def _meant(value: Any, message: str) -> str:
    """Which of the words in the message it is like."""
    return did_you_mean(value, _QUOTED.findall(message)) if isinstance(value, str) else ""


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {quoted(value)}"
        case str():
            return "a string"
        case list() | tuple():
            return "a list"
        case dict():
            return "an object"
        case _:
            return type(value).__name__


def _place(field: str, loc: Sequence[int | str]) -> str:
    place = field
    for part in loc:
        if part == "[key]":  # as pydantic says that a key, and not its value, is wrong
            continue
        place += f"[{part}]" if isinstance(part, int) else f"{'.' if place else ''}{_shown_key(part)}"
    return place


def _shown_key(key: str) -> str:
    return cut(plain(key), LONGEST_VALUE)
