"""How much a document may hold, and a task may ask for: counted before it is looked at closer."""

from collections.abc import Callable, Sized
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 64 << 20
"""The largest document that is read: 64 MiB, room for the views of 10,000 tasks with their records."""
MAX_TASKS = 100_000
"""Of one job, whatever the operator allows."""
MAX_EDGES = 100_000
"""Dependencies of all tasks of one job together."""
MAX_ARGUMENTS = 1 << 18
"""More than the kernel takes, were each of a single letter."""
MAX_VARIABLES = 10_000
MAX_STRING_BYTES = (128 << 10) - 1
"""The kernel's limit on one argument or variable (MAX_ARG_STRLEN), without the NUL at its end."""
MAX_COMMAND_BYTES = (2 << 20) - (128 << 10)
"""The kernel's limit on arguments and variables together, with the usual stack of 8 MiB; less what image and
manager add. So what is taken can be executed, however its container is made."""
A_STRINGS_REST = 9
"""Bytes that the kernel counts beside those of each argument and variable: a NUL, and a pointer to it."""
MAX_WORD = 4096
"""Characters of a name or path that something else than this project gives its meaning."""
MAX_SECRETS = 32
"""Of one task: as files, and as variables."""
MAX_REQUEST_BYTES = 16 << 10
"""Of a request for a further task."""
MAX_UNKNOWN_BYTES = 16 << 10
"""Of the keys in one record that are kept although nobody here knows them."""
MAX_RESULT_BYTES = 1 << 20
"""Of the result of one task, whatever the operator allows."""
MAX_HANDED_OVER = 16 << 20
"""Bytes of what all tasks of a job have left together, results and lists of files: the views must stay
readable, with 10,000 tasks, too."""
BYTES_A_PART = 8
"""Short values take no less, as a rule: a document of many is refused where all of them are shorter."""
FEW_PARTS = 1 << 17
"""Values that any document may have, however short they are: those that fit into 256 KiB."""


@dataclass(frozen=True)
class Bounds:
    """How much of a document its reader takes."""

    bytes: int = MAX_BYTES
    tasks: int = MAX_TASKS

    @property
    def parts(self) -> int:
        """Values and keys. In memory, each takes some 100 bytes, however short it is."""
        return max(FEW_PARTS, self.bytes // BYTES_A_PART)


OWN = Bounds()
"""Of what is one's own: the views that a manager has written, the file that a person names."""


def at_most(most: int, what: str) -> Callable[[Any], Any]:
    """A validator that counts before anything is validated."""

    def check(value: Any) -> Any:
        if isinstance(value, Sized) and not isinstance(value, str) and len(value) > most:
            raise ValueError(f"has {len(value)} {what}; at most {most} are allowed")
        return value

    return check
