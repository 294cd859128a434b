"""Log-ins at registries, as `docker login` leaves them in Docker's configuration: entries of `auths`, or
names of programs that keep them (`credsStore`, `credHelpers`).

What is found goes into the one request to the engine, and nowhere else: no message has a name or a password.
"""

import json
import logging
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.auth import AuthConfig
from docker.credentials.constants import PROGRAM_PREFIX
from docker.errors import DockerException
from docker.utils.config import find_config_file

from air_executor.errors import quoted

log = logging.getLogger(__name__)

CONFIG = "config.json"
MOST_BYTES = 1 << 20
"""Of the file: it is the operator's own, and yet no reason to run out of memory."""


@dataclass(frozen=True, slots=True)
class Login:
    """What one registry is told, in the engine's words; nothing, where there is none for it."""

    words: dict[str, Any]
    remark: str
    """For whoever reads that the registry did not give an image."""

    def __repr__(self) -> str:
        return f"Login({self.remark!r})"


class Logins:
    """Read anew each time: who logs in need not start the manager again."""

    def __init__(self, place: Path | None) -> None:
        """`place`: the file or its folder; None: where Docker's own programs look."""
        self._place = place

    def of(self, registry: str) -> Login:
        """The log-in at a registry, by its host, with the port where it has one. Raises nothing."""
        advice = f"log in there: `docker login {registry}`, as the manager's user, writes it"
        file = self._file()
        if file is None:
            return Login({}, f"there is no log-in for {registry}; where it asks for one, {advice}")
        try:
            found = _entry(_read(file), registry, file)
        except FileNotFoundError:
            found = {}
        except OSError as error:
            why = f"{file}: {error.strerror}"
            return Login({}, f"log-ins can't be read by the manager, which has to be able to: {why}")
        except (ValueError, KeyError, TypeError, AttributeError, DockerException):  # it may quote a password
            return Login({}, f"{file} is no Docker configuration; {advice}")
        if not found:
            return Login({}, f"there is no log-in for {registry} in {file}; where it asks for one, {advice}")
        return Login(found, f"the log-in for {registry} is that in {file}; if it is refused, {advice}")

    def _file(self) -> Path | None:
        if self._place is not None:
            with suppress(OSError):  # who reads it meets that again
                return self._place / CONFIG if self._place.is_dir() else self._place
            return self._place
        found = find_config_file()
        return None if found is None else Path(str(found))


def _read(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError("is too large")
    found = json.loads(content) if content.strip() else {}  # as /dev/null, which stands for none
    if not isinstance(found, dict):
        raise ValueError("is no object")
    return found


def _entry(found: dict[str, Any], registry: str, file: Path) -> dict[str, Any]:
    """By the program that keeps it; else, or where that is not here, by `auths`."""
    auths = {"auths": AuthConfig.parse_auth(dict(found.get("auths") or {}), raise_on_error=True)}
    keepers = {name: found[name] for name in ("credsStore", "credHelpers") if found.get(name)}
    with_keepers = AuthConfig(auths | keepers)
    program = f"{PROGRAM_PREFIX}{with_keepers.get_credential_store(registry) or ''}"
    if program == PROGRAM_PREFIX:
        return AuthConfig(auths).resolve_authconfig(registry) or {}
    try:
        if shutil.which(program) is not None:
            return with_keepers.resolve_authconfig(registry) or {}
    except DockerException:
        pass  # it says why, and maybe with what
    log.warning(
        "%s, which %s names for %s, can't be used here: only what stands in `auths` counts",
        program,
        file,
        quoted(registry),
    )
    return AuthConfig(auths).resolve_authconfig(registry) or {}
