"""What records and requests are made of: kinds of values, and how strict each kind of model is.

Times are UTC with microseconds; a time written without a zone is taken as UTC.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from air_executor.errors import cut, plain, quoted
from air_executor.format import names
from air_executor.format.limits import MAX_UNKNOWN_BYTES, MAX_WORD

HALF_A_PAIR = "must not contain half of a surrogate pair (\\ud800 to \\udfff), which is no character"
LONGEST_SENTENCE = 1000
"""Characters of why something failed, or was refused."""


def _read_time(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a time such as 2025-10-02T07:30:15.123456Z") from None
    if not isinstance(value, datetime):
        raise ValueError("must be a time such as 2025-10-02T07:30:15.123456Z")
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time between the years 1 and 9999, UTC") from None


def format_time(value: datetime) -> str:
    """The form that times have in the files: `2025-10-02T07:30:15.123456Z`."""
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _check_name(value: str) -> str:
    if not names.is_name(value):
        raise ValueError(names.RULE)
    return value


def check_text(value: str) -> str:
    """What no program can be given, or no file of ours can hold."""
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    if not value.isascii() and not is_encodable(value):
        raise ValueError(HALF_A_PAIR)
    return value


def is_encodable(value: str) -> bool:
    """Whether it can be written as UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


Time = Annotated[datetime, BeforeValidator(_read_time), PlainSerializer(format_time, when_used="json")]
Text = Annotated[str, Field(strict=True), AfterValidator(check_text)]
FilledText = Annotated[str, Field(strict=True, min_length=1), AfterValidator(check_text)]
Word = Annotated[str, Field(strict=True, max_length=MAX_WORD), AfterValidator(check_text)]
Name = Annotated[str, Field(strict=True), AfterValidator(_check_name)]


Sentence = Annotated[str, AfterValidator(lambda text: cut(plain(text), LONGEST_SENTENCE))]
"""What people read: it may quote what strangers wrote, so it is one line, and not endless."""


class Record(BaseModel):
    """What the manager writes: never changed in place; keys it does not know are kept, while few."""

    model_config = ConfigDict(frozen=True, extra="allow")

    @model_validator(mode="after")
    def _little_that_is_unknown(self) -> Self:
        unknown = self.model_extra
        if unknown and (size := _size(unknown)) > MAX_UNKNOWN_BYTES:
            raise ValueError(
                f"has {size} bytes below keys that are not known, such as {quoted(next(iter(unknown)))}; "
                f"at most {MAX_UNKNOWN_BYTES} are kept"
            )
        return self


def without_large_unknown(model: type[Record], value: dict[str, Any]) -> dict[str, Any]:
    """A record as one was written that had no bound on unknown keys: without these, where they break it."""
    known = {name for field, info in model.model_fields.items() for name in (field, info.alias)}
    unknown = {key: entry for key, entry in value.items() if key not in known}
    if not unknown or _size(unknown) <= MAX_UNKNOWN_BYTES:
        return value
    return {key: entry for key, entry in value.items() if key in known}


def _size(unknown: dict[str, Any]) -> int:
    return len(json.dumps(unknown, default=str))


class Spec(BaseModel):
    """What people write: unknown keys are refused; keys that begin with `_` are comments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def elsewhere(cls, name: str) -> str | None:
        """What is said of a field that is none here, where it belongs to something else."""
        return None

    @model_validator(mode="before")
    @classmethod
    def _drop_comments(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        asked = {key: value for key, value in data.items() if not str(key).startswith("_")}
        unknown = [key for key in asked if key not in cls.model_fields]
        for key in unknown[1:]:  # the first is enough to be refused for
            del asked[key]
        return asked
