"""Has the values of secrets while their attempts last: to hand them over, and to keep them out of logs."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from manager.folder.secret_values import SecretUnreadable, value_of
from manager.gates.protocol import HandedFile
from manager.model.assignment import Assignment
from manager.model.values import AttemptKey
from manager.settings import CONFIG_FILE, Secret

MOST_OF_A_TASK = 512 << 10
"""Bytes of all secrets of one task: so its frame holds them, and the folder that they are in."""
PATIENCE = 30.0
"""Seconds within which all of them are printed by their commands."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What one attempt is handed. Their values are in no `repr`, and so in no message."""

    files: tuple[HandedFile, ...] = ()
    variables: dict[str, str] = field(default_factory=dict, repr=False)


class SecretKeeper:
    """Used from the threads of those who open gates, and who follow containers."""

    def __init__(self, declared: Mapping[str, Secret]) -> None:
        self._declared = declared
        self._masked: dict[AttemptKey, tuple[bytes, ...]] = {}
        """The values that an attempt was handed and whose logs are not to show them, until it is over."""

    def hand_out(self, assignment: Assignment) -> Secrets:
        """The secrets that the attempt was granted, read anew. Raises SecretUnreadable."""
        task, grant = assignment.task, assignment.grant
        for name in (*(set(task.secrets) - set(grant.secrets)), *_not_granted(assignment)):
            raise SecretUnreadable(
                f"the secret {name!r} is not for this job any more, says {CONFIG_FILE} (setting `secrets`)"
            )
        values = self._read(assignment)
        return Secrets(
            tuple(HandedFile(place, values[name]) for name, place in grant.secrets.items()),
            {variable: _text(name, values[name]) for variable, name in grant.secret_env.items()},
        )

    def to_mask(self, assignment: Assignment) -> tuple[bytes, ...]:
        """The values that the attempt's log is not to show. Raises SecretUnreadable.

        A manager that is started again reads them again: those of before, where they have changed, are lost.
        """
        if not any(self._is_masked(name) for name in _names(assignment)):
            return ()
        if assignment.key not in self._masked:
            self._read(assignment)
        return self._masked[assignment.key]

    def forget(self, key: AttemptKey) -> None:
        """The attempt is over."""
        self._masked.pop(key, None)

    def _read(self, assignment: Assignment) -> dict[str, bytes]:
        deadline = time.monotonic() + PATIENCE
        values = {name: value_of(name, self._declared, deadline) for name in _names(assignment)}
        if (size := sum(map(len, values.values()))) > MOST_OF_A_TASK:
            raise SecretUnreadable(
                f"its secrets have {size} bytes together, and {MOST_OF_A_TASK} are the most for one task"
            )
        masked = (value for name, value in values.items() if self._is_masked(name))
        self._masked[assignment.key] = tuple(masked)
        return values

    def _is_masked(self, name: str) -> bool:
        """Also one that is not declared any more: nobody has said that it may be shown."""
        return name not in self._declared or self._declared[name].mask


def _names(assignment: Assignment) -> dict[str, None]:
    """Of all secrets that it was granted, each once."""
    return dict.fromkeys((*assignment.grant.secrets, *assignment.grant.secret_env.values()))


def _not_granted(assignment: Assignment) -> list[str]:
    asked, has = assignment.task.secret_env, assignment.grant.secret_env
    return [name for variable, name in asked.items() if variable not in has]


def _text(name: str, value: bytes) -> str:
    """As a variable has it: without the ends of lines behind it, as a shell's $(cat file)."""
    if b"\0" in value:
        raise SecretUnreadable(
            f"the secret {name!r} has a NUL byte, which no variable can: ask for it as a file, by `secrets`"
        )
    return value.rstrip(b"\r\n").decode(errors="surrogateescape")
