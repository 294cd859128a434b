"""What the operator has declared to be mounted: `AIR_EXECUTOR_MOUNTS`, as for the manager.

It comes from the environment alone. The home's config.toml is the manager's to write, and whoever has taken
that over would declare what they like.
"""

import json
from collections.abc import Mapping
from typing import Self

from pydantic import TypeAdapter

from air_executor.format.mounts import DeclaredMount
from engine_proxy.refusal import Refused

_ALL = TypeAdapter(dict[str, DeclaredMount])


class Mounts:
    """Folders and volumes that containers may have beside those of the home."""

    def __init__(self, declared: Mapping[str, DeclaredMount]) -> None:
        self._declared = tuple(declared.values())

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the variable. Raises ValueError."""
        return cls(_ALL.validate_python(json.loads(text or "{}")))

    def check_path(self, source: str, *, read_only: bool) -> None:
        """Raises Refused where the folder is not declared, or not to be written to."""
        found = [each for each in self._declared if each.path == source]
        _check(source, found, read_only=read_only)

    def check_volume(self, name: str, *, read_only: bool) -> None:
        """Likewise, for a volume."""
        found = [each for each in self._declared if each.volume == name]
        _check(name, found, read_only=read_only)


def _check(source: str, found: list[DeclaredMount], *, read_only: bool) -> None:
    if not found:
        raise Refused(f"{source} can't be mounted: it is not among AIR_EXECUTOR_MOUNTS of the engine proxy")
    if not read_only and not any(each.writable for each in found):
        raise Refused(f"{source} is declared to be read in AIR_EXECUTOR_MOUNTS of the engine proxy")
