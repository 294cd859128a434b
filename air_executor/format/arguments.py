"""Arguments of a command: strings, or places in the results of tasks that have run before.

A reference has the result's value, or one in it, stand in the place of the argument: a string as it is, all
else as JSON in its shortest form. There is no language of templates, so nothing in a result means anything.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, model_serializer
from pydantic_core import PydanticCustomError

from air_executor.errors import BadInput, quoted
from air_executor.format.documents import validate
from air_executor.format.fields import HALF_A_PAIR, Name, Spec, check_text, is_encodable
from air_executor.format.limits import MAX_COMMAND_BYTES, MAX_WORD, at_most
from air_executor.format.results import Result

MAX_STEPS = 64
"""Of a path into a result."""
NAMED = 5
"""References that are named among those that lead nowhere."""
A_PATH = 'must be a path such as "rows.0.id", or a list such as ["rows", 0, "id"]'
A_REFERENCE = '{"result": "fetch", "path": "rows"}'


class Unresolved(BadInput):
    """References that lead nowhere: the command can't begin."""


def _read_path(value: Any) -> str | tuple[str | int, ...]:
    if isinstance(value, str):
        steps: Sequence[Any] = value.split(".")
    elif isinstance(value, list | tuple):
        steps = value
    else:
        raise ValueError(A_PATH)
    at_most(MAX_STEPS, "steps")(steps)
    for step in steps:
        if isinstance(value, str) and not step:
            raise ValueError(f"{A_PATH}; leave it out for the whole result")
        if isinstance(step, bool) or not isinstance(step, str | int):
            raise ValueError(A_PATH)
        if isinstance(step, str) and len(step) > MAX_WORD:
            raise ValueError(f"is longer than {MAX_WORD} characters")
        if isinstance(step, str) and not is_encodable(step):
            raise ValueError(HALF_A_PAIR)
        if isinstance(step, int) and not 0 <= step <= MAX_COMMAND_BYTES:
            raise ValueError(f"{quoted(step)} is no place in a list: they are counted from 0")
    return value if isinstance(value, str) else tuple(steps)


class ResultOf(Spec):
    """A place in the result of a task that the command's own depends on."""

    result: Name
    """The task."""
    path: Annotated[str | tuple[str | int, ...], PlainValidator(_read_path)] = ()
    """Keys of objects, and places in lists, counted from 0. Without any, the whole result."""

    @property
    def steps(self) -> tuple[str | int, ...]:
        """The path, one by one. In a string, a number is a key of objects and a place in lists."""
        return tuple(self.path.split(".")) if isinstance(self.path, str) else self.path

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        whole = {"result": self.result}
        return whole | {"path": self.path} if self.path else whole

    def __str__(self) -> str:
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False)


def _read_argument(value: Any) -> str | ResultOf:
    if isinstance(value, str):
        return check_text(value)
    if isinstance(value, ResultOf):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError("string_type", "must be a string")
    try:
        return validate(ResultOf, value)
    except BadInput as error:
        raise ValueError(f"must be a string, or a reference such as {A_REFERENCE}; {error}") from None


Argument = Annotated[str | ResultOf, PlainValidator(_read_argument), PlainSerializer(lambda value: value)]
"""One argument of a command, as it is written."""


def shown(arguments: Iterable[str | ResultOf]) -> tuple[str, ...]:
    """As people read them: references as they are written."""
    return tuple(map(str, arguments))


def resolved(arguments: tuple[str | ResultOf, ...], results: Mapping[str, Result]) -> tuple[str, ...]:
    """The arguments as the command gets them. Raises Unresolved, naming those that lead nowhere.

    `results`: of the tasks that it depends on, as far as they have one.
    """
    values: dict[str, Any] = {}
    found: list[str] = []
    problems: list[BadInput] = []
    size = 0
    for index, argument in enumerate(arguments):
        try:
            found.append(argument if isinstance(argument, str) else _text(argument, results, values))
        except ValueError as error:
            problems.append(BadInput(str(error), field=f"args[{index}]"))
        else:
            size += len(found[-1])
        if len(problems) > NAMED or size > MAX_COMMAND_BYTES:  # who reads on does so for nothing
            break
    if size > MAX_COMMAND_BYTES:
        problems.append(BadInput(f"have more than {MAX_COMMAND_BYTES} characters together", field="args"))
    if problems:
        more = "; and more" if len(problems) > NAMED else ""
        raise Unresolved("; ".join(str(problem) for problem in problems[:NAMED]) + more)
    return tuple(found)


def _text(reference: ResultOf, results: Mapping[str, Result], values: dict[str, Any]) -> str:
    """Raises ValueError."""
    task = reference.result
    if task not in results:
        raise ValueError(f"task {task!r} has no result; it writes one, as JSON, to $AIR_EXECUTOR_RESULT")
    if task not in values:
        values[task] = results[task].value
    text = text_of(_follow(values[task], reference))
    if "\0" in text:
        raise ValueError(f"what it gets from the result of task {task!r} has a NUL character")
    return text


def _follow(value: Any, reference: ResultOf) -> Any:
    way = ""
    for step in reference.steps:
        try:
            value = _step(value, step, dotted=isinstance(reference.path, str))
        except LookupError:
            before = f" at {quoted(way)}" if way else ""
            raise ValueError(
                f"the result of task {reference.result!r} has no {quoted(step)}{before}, where it is "
                f"{_kind(value)}"
            ) from None
        way += f".{step}" if way else str(step)
    return value


def _step(value: Any, step: str | int, *, dotted: bool) -> Any:
    if isinstance(value, dict) and isinstance(step, str):
        return value[step]
    if isinstance(value, list) and (isinstance(step, int) or (dotted and step.isascii() and step.isdigit())):
        return value[int(str(step)[:9])]
    raise LookupError


def text_of(value: Any) -> str:
    """A string as it is; all else as JSON in its shortest form."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _kind(value: Any) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return f"a list of {len(value)}"
        case str():
            return "a string"
        case _:
            return text_of(value)
