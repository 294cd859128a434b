"""What runs in a container: the image's own entry point, or another, before a task's command."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from air_executor.format.fields import check_text
from air_executor.format.limits import MAX_ARGUMENTS, at_most

OF_IMAGE: Literal["image"] = "image"
"""The image's ENTRYPOINT; and its CMD, where the task has neither command nor arguments."""
RULE = 'must be "image", or a list such as ["sh", "-c"]'
NO_COMMAND = "is missing: it may be left out where `image` or `entrypoint` says what is to run"


def _read(value: Any) -> Any:
    if value is None or value == OF_IMAGE:
        return value
    if not isinstance(value, list | tuple):
        raise ValueError(RULE)
    at_most(MAX_ARGUMENTS, "words")(value)
    for word in value:
        if not isinstance(word, str):
            raise ValueError("must be a list of strings")
        check_text(word)
    if not value or not value[0]:
        raise ValueError("must begin with a command; leave it out where `command` is to run alone")
    return value


Entrypoint = Annotated[Literal["image"] | tuple[str, ...] | None, BeforeValidator(_read)]
