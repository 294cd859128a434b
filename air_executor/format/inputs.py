"""What a job brings in its `work/`: how much it may be, where it may go, and what its record says of it."""

from pydantic import Field

from air_executor.errors import BadInput, quoted
from air_executor.format.fields import Record, is_encodable

FIELD = "files"
MAX_ENTRIES = 10_000
"""Files and folders."""
MAX_BYTES = 1 << 30
"""Of all files together."""
MAX_DEPTH = 32
"""Names in the path of one of them, below `/work`."""
LONGEST_NAME = 255
"""Bytes of one name in a path, as file systems have it."""
RULE = (
    f"must be a path below /work such as data/table.csv: of {MAX_DEPTH} names at most, not . or .., "
    "with single slashes between them"
)

Place = tuple[str, ...]
"""The names in a path below `/work`."""


class Inputs(Record):
    """How much a job has brought."""

    entries: int = Field(ge=0, strict=True)
    """Files and folders."""
    bytes: int = Field(ge=0, strict=True)


def parse_place(text: object) -> Place:
    """Raises BadInput with the rule."""
    if isinstance(text, str) and text.isprintable() and is_encodable(text):
        names = tuple(text.split("/"))
        if len(names) <= MAX_DEPTH and all(map(_is_name, names)):
            return names
    raise BadInput(f"{quoted(text)} {RULE}", field=FIELD)


def _is_name(name: str) -> bool:
    return name not in ("", ".", "..") and len(name.encode()) <= LONGEST_NAME


class Meter:
    """How much it was until now. What is too much is refused as soon as it is met."""

    def __init__(self) -> None:
        self._entries = self._bytes = 0

    @property
    def inputs(self) -> Inputs:
        """All that was counted."""
        return Inputs(entries=self._entries, bytes=self._bytes)

    def enter(self) -> None:
        """One more file or folder. Raises BadInput."""
        self._entries += 1
        check_number(self._entries)

    def take(self, size: int) -> None:
        """So many bytes more. Raises BadInput."""
        self._bytes += size
        if self._bytes > MAX_BYTES:
            raise BadInput(
                f"have more than {MAX_BYTES >> 20} MiB together; what is larger, the operator can mount",
                field=FIELD,
            )


def check_number(entries: int) -> None:
    """Whether a job may bring so many files and folders. Raises BadInput."""
    if entries > MAX_ENTRIES:
        raise BadInput(
            f"are more than {MAX_ENTRIES} files and folders; pack them into an archive", field=FIELD
        )


def check_reset(job: str, inputs: Inputs | None) -> None:
    """Whether the job may start over, which deletes its `work/`. Raises BadInput."""
    if inputs is not None:
        raise BadInput(
            f"job {job!r} was created with files in its work/, and to start over would delete them: create "
            f"it anew under another name; or `air-executor retry {job}` runs what failed, and keeps them"
        )
