"""The engine's programs that containers are run by, as tasks name them."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

DEFAULT = "default"
"""Whichever the engine's own is."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


def check_runtime(name: str) -> str:
    """`name` itself. Raises ValueError where no engine can have a runtime of that name."""
    if not _NAME.fullmatch(name):
        raise ValueError("must be the name of a runtime, such as runsc")
    return name


Runtime = Annotated[str, Field(strict=True, max_length=64), AfterValidator(check_runtime)]
