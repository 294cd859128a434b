"""Places that a task can write to beside `/work` and `/tmp`; what is in them goes with its container."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from air_executor.format.fields import Record, Spec, Text
from air_executor.format.limits import at_most
from air_executor.format.places import check_place

MAX_PLACES = 16
"""Of one task."""


class ScratchSpace(Spec):
    """One place. A bare number stands for `{"size_mb": number}`."""

    size_mb: int = Field(ge=1, le=1 << 20, strict=True)
    """MiB that it has room for."""
    on: Literal["memory", "disk"] = "memory"
    """Where it is; in memory, what is in it counts as the task's memory."""


def _read(value: Any) -> Any:
    value = at_most(MAX_PLACES, "places")(value)
    if not isinstance(value, dict):
        return value
    return {place: _read_one(space) for place, space in value.items()}


def _read_one(value: Any) -> Any:
    return {"size_mb": value} if isinstance(value, int | str) and not isinstance(value, bool) else value


def _short(value: dict[str, ScratchSpace]) -> Any:
    return {
        place: space.size_mb if space.on == "memory" else space.model_dump() for place, space in value.items()
    }


Scratch = Annotated[
    dict[Annotated[Text, AfterValidator(check_place)], ScratchSpace],
    BeforeValidator(_read),
    PlainSerializer(_short),
]


class GrantedScratch(Record):
    """A place that an attempt gets."""

    place: str
    size_mb: int
    on: Literal["memory", "disk"] = "memory"
