"""GPUs, as tasks ask for them and as operators declare them: a number of them, or their ids."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

MOST = 64
"""That one task may ask for, whatever a host has."""
RULE = 'must be a number of GPUs, from 1 to 64, or a list of their ids, such as ["0"]'
ID_RULE = 'is no id of a GPU; ids are such as "0", "GPU-8932f937" or "nvidia.com/gpu=0"'

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/=-]{0,127}", re.ASCII)


def check_ids(value: Any) -> tuple[str, ...]:
    """The ids of a list. Raises ValueError with the rule that it breaks."""
    ids = tuple(value)
    for number, each in enumerate(ids):
        if not isinstance(each, str) or not _ID.fullmatch(each):
            raise ValueError(f"entry {number} {ID_RULE}")
    if len(set(ids)) < len(ids):
        raise ValueError("names a GPU twice")
    return ids


def _read(value: Any) -> Any:
    """Counted before its entries are looked at."""
    match value:
        case None:
            return None
        case int() if not isinstance(value, bool) and 1 <= value <= MOST:
            return value
        case list() | tuple() if 1 <= len(value) <= MOST:
            return check_ids(value)
        case _:
            raise ValueError(RULE)


Gpus = Annotated[int | tuple[str, ...], BeforeValidator(_read)]
"""How many, or which."""


def number_of(gpus: int | tuple[str, ...] | None) -> int:
    """How many are asked for."""
    match gpus:
        case None:
            return 0
        case int():
            return gpus
        case _:
            return len(gpus)
