"""Secrets as jobs ask for them: by the names that the operator gave them, and where a task finds them."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from air_executor.errors import quoted
from air_executor.format.limits import MAX_SECRETS, MAX_WORD
from air_executor.format.users import UserRange, check_range

FOLDER = "/run/secrets"
OURS = "AIR_EXECUTOR_"
"""How variables begin that the manager sets."""

MAX_SECRET_BYTES = 64 << 10
"""Of one secret."""
NAME_RULE = "must be 1 to 64 letters, digits, dots, _ and -, and begin with a letter or digit"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_FILE = re.compile(rf"{FOLDER}/[A-Za-z0-9_-][A-Za-z0-9._-]{{0,199}}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}", re.ASCII)


class SecretRule(BaseModel):
    """What whoever makes jobs is told of a secret: whose jobs may have it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    users: tuple[Annotated[str, AfterValidator(check_range)], ...] = ()
    """Owners of jobs' folders, in the words of the setting `users`; root always may."""

    def may_be_had_by(self, uid: int) -> bool:
        """Whether jobs whose folder is this user's may have it, whatever group that has."""
        ranges = map(UserRange.parse, self.users)
        return uid == 0 or any(each.first <= uid <= each.last for each in ranges)


def read_secrets(value: Any) -> Any:
    """Names and their files, where a list has the names alone; how many is looked at first."""
    if isinstance(value, list | tuple):
        _check_count(value)
        names = [check_name(name) for name in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"has {quoted(name)} twice")
        return {name: usual_place(name) for name in names}
    if isinstance(value, dict):
        _check_count(value)
        return value
    raise ValueError(f'must be a list of names such as ["db"], or an object such as {{"db": "{FOLDER}/x"}}')


def short_secrets(value: Mapping[str, str]) -> Any:
    """As people write them: a list of names where each is in its usual place."""
    usual = all(place == usual_place(name) for name, place in value.items())
    return list(value) if usual else dict(value)


def usual_place(name: str) -> str:
    """The file of a secret for which none is named."""
    return f"{FOLDER}/{name}"


def check_secrets(value: dict[str, str]) -> dict[str, str]:
    """What `secrets` may hold: files of their own, all of them in the one folder."""
    for name, place in value.items():
        check_name(name)
        if len(place) > MAX_WORD or not _FILE.fullmatch(place):
            raise ValueError(
                f"{quoted(name)}: {quoted(place)} is not in {FOLDER}, where files of secrets are, such as "
                f"{FOLDER}/{name} (letters, digits, dots, _ and -); point the program there by a variable "
                "(PGPASSFILE, MYSQL_PASSWORD_FILE), or have the value in a variable by secret_env"
            )
    places = list(value.values())
    for place in places:
        if places.count(place) > 1:
            raise ValueError(f"has two secrets for {quoted(place)}")
    return value


def count_variables(value: Any) -> Any:
    """A validator that counts before anything is looked at."""
    if isinstance(value, dict):
        _check_count(value)
    return value


def check_secret_env(value: dict[str, str]) -> dict[str, str]:
    """What `secret_env` may hold: variables that programs know, and nobody else sets."""
    for variable, name in value.items():
        if not _VARIABLE.fullmatch(variable):
            raise ValueError(
                f"{quoted(variable)} must have letters, digits and _ only, and begin with no digit"
            )
        if variable.startswith(OURS):
            raise ValueError(f"{quoted(variable)} is the manager's: no variable may begin with {OURS}")
        check_name(name)
    return value


def _check_count(value: Any) -> None:
    if len(value) > MAX_SECRETS:
        raise ValueError(f"has {len(value)} secrets; at most {MAX_SECRETS} are allowed")


def check_name(name: Any) -> str:
    """`name`, where a secret may be called so. Raises ValueError."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{quoted(name)} is no secret's name: it {NAME_RULE}")
    return name
