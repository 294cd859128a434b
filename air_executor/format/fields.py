"""What records and requests are made of: kinds of values, and how strict each kind of model is.

Times are UTC with microseconds; a time written without a zone is taken as UTC.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from air_executor.format import names


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


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    return value


Time = Annotated[datetime, BeforeValidator(_read_time), PlainSerializer(format_time, when_used="json")]
Text = Annotated[str, Field(strict=True), AfterValidator(_no_nul)]
Name = Annotated[str, Field(strict=True), AfterValidator(_check_name)]


class Record(BaseModel):
    """What the manager writes: never changed in place; keys it does not know are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Spec(BaseModel):
    """What people write: unknown keys are refused; keys that begin with `_` are comments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _drop_comments(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if not str(key).startswith("_")}
        return data
