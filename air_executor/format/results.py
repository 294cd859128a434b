"""What a task that has succeeded leaves for others to use: its result, and the files that it has promised."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from air_executor.errors import BadInput
from air_executor.format.documents import depth_of, parse_json
from air_executor.format.fields import Record, Word
from air_executor.format.limits import BYTES_A_PART, MAX_RESULT_BYTES, Bounds

MAX_RESULT_DEPTH = 64
"""Less than any document may have: it stands within other values in `tasks.json`, and is read there, too."""


@dataclass(frozen=True, slots=True)
class Result:
    """One JSON value. None in its place is no result; `null` is one, too.

    It is kept as text, which takes far less memory than what stands in it.
    """

    text: str
    """Without spaces between its parts."""

    @classmethod
    def of(cls, value: Any) -> "Result":
        """Raises ValueError where that is too large to be kept."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        if len(text.encode()) > MAX_RESULT_BYTES:
            raise ValueError(f"has more than {MAX_RESULT_BYTES} bytes")
        return cls(text)

    @property
    def value(self) -> Any:
        """What the task has written."""
        return json.loads(self.text)

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.text.encode())


def read_result(data: bytes, most: int) -> Result:
    """The result that stands in a file of `most` bytes at most. Raises BadInput.

    What is short on disk may be large in memory: so its values are counted before there are any.
    """
    value = parse_json(data, _Few(most))
    if depth_of(value) > MAX_RESULT_DEPTH:
        raise BadInput(f"is nested more than {MAX_RESULT_DEPTH} levels deep")
    try:
        result = Result.of(value)
    except ValueError as error:
        raise BadInput(str(error)) from None
    if result.size > most:
        raise BadInput(f"is larger than {most} bytes, with its numbers written out")
    return result


@dataclass(frozen=True)
class _Few(Bounds):
    """As of any document, but that a small one does not have more values than it has room for."""

    @property
    def parts(self) -> int:
        return max(1, self.bytes // BYTES_A_PART)


def _read(value: Any) -> Result:
    return value if isinstance(value, Result) else Result.of(value)


def _written(result: Result | None) -> Any:
    return None if result is None else result.value


Returned = Annotated[Result | None, BeforeValidator(_read), PlainSerializer(_written, when_used="json")]
"""A result in a record, where it stands as what it is."""


class OutputFile(Record):
    """One file that a task has promised, as it was when its command had ended."""

    path: Word
    """Below `/work`."""
    size: int = Field(ge=0)
    """In bytes."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of its content, as hexadecimal digits."""

    @property
    def cost(self) -> int:
        """Bytes that it takes to tell of it."""
        return len(self.path.encode()) + 200
